// After the command: its descendants are stopped, waited for, or left alone.
#pragma once

#include "os/clock.hpp"
#include "os/events.hpp"
#include "plan/plan.hpp"
#include "supervise/family.hpp"

#include <optional>
#include <sys/types.h>

namespace finally_run::supervise {

struct Aftermath {
    const Family& family;
    os::Events& events;
    int stop_signal;
    // A group that was told to stop already, and with what (0: was not). A second signal makes many programs drop all
    // and abort, so whoever got the first is left to act on it.
    pid_t told_group;
    int told_signal;

    // Ends all in `scope`: the stop signal, and SIGKILL at the deadline. Returns when they are gone (those that we may
    // not signal excepted).
    void stop(Scope scope, const os::Deadline& deadline) const;

    // Waits until nobody is left. A request to stop ends the wait; returned is its signal.
    [[nodiscard]] std::optional<int> wait() const;

private:
    enum class Waited { gone, deadline, stop_request };
    Waited wait_until_gone(Scope scope, const os::Deadline& deadline, int* stop_request) const;
};

// SIGKILL, once, to all that are there now. Returns whether any could be signalled.
bool kill_members(const Family& family, Scope scope);

} // namespace finally_run::supervise
