// After the command: who is left of it is stopped, waited for, or left alone.
#pragma once

#include "os/clock.hpp"
#include "os/events.hpp"
#include "os/process.hpp"
#include "plan/rewrite.hpp"

#include <functional>
#include <optional>
#include <span>
#include <sys/types.h>
#include <vector>

namespace finally_run::supervise {

// Who is left now.
using Members = std::function<std::vector<os::ProcessInfo>()>;

struct Aftermath {
    Members members;
    os::Events& events;
    int stop_signal;
    // A group that was told to stop already, and with what (0: was not). A second signal makes many programs drop all
    // and abort, so whoever got the first is left to act on it.
    pid_t told_group;
    int told_signal;
    std::span<const plan::Rewrite> rewrites = {};
    // Hears of the signals that reach us while we wait; it may throw to end that.
    std::function<void(const os::Signal&)> on_signal = {};

    // Ends them all: the stop signal, and SIGKILL at the deadline. Returns when they are gone (those that we may not
    // signal excepted).
    void stop(const os::Deadline& deadline) const;

    // Waits until nobody is left. A request to stop ends the wait; returned is its signal.
    [[nodiscard]] std::optional<int> wait() const;

    // Waits until nobody is left, whatever we are told meanwhile. False: the deadline came first.
    [[nodiscard]] bool wait_until(const os::Deadline& deadline) const;

private:
    enum class Waited { gone, deadline, stop_request };
    Waited wait_until_gone(const os::Deadline& deadline, int* stop_request) const;
};

// SIGKILL, once, to all that are there now. Returns whether any could be signalled.
bool kill_members(const Members& members);

} // namespace finally_run::supervise
