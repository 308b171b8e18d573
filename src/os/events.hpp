// What can reach a waiting run from outside: signals, the end of its caller, the end of the reader of its stdout.
#pragma once

#include "os/clock.hpp"
#include "os/fd.hpp"
#include "os/process.hpp"
#include "os/signals.hpp"

#include <functional>
#include <optional>
#include <poll.h>
#include <span>
#include <utility>
#include <variant>
#include <vector>

namespace finally_run::os {

struct CallerGone {};
struct TimedOut {};
struct Readable {}; // the extra descriptor
struct LockLost {}; // one that machines share
struct ServiceEnded {};
using Event = std::variant<Signal, CallerGone, TimedOut, Readable, LockLost, ServiceEnded>;

// What ends a wait for something that somebody else has: a signal, or the end of the caller (then by TERM).
struct Interrupted {
    int signal;
    bool caller_gone;
};

// nullopt: the event does not end it. One that stops us has done so by then: see ends_a_wait().
[[nodiscard]] std::optional<Interrupted> interrupted_by(const Event& event);

// Work that is done whenever we wait, beside whatever we wait for.
class Beside {
public:
    virtual ~Beside() = default;
    // What it waits for.
    virtual void add_to(std::vector<pollfd>& fds) = 0;
    // The same after poll(2). It must not wait.
    virtual void work(std::span<const pollfd> fds) = 0;
};

struct Watched {
    bool caller = false;        // our parent, unless that is pid 1 or outside our pid namespace
    bool stdout_reader = false; // a pipe, socket or terminal on stdout that nobody reads any more
};

class Events {
public:
    // `signals` outlives this.
    Events(Signals& signals, Watched watched);
    Events(const Events&) = delete;
    Events& operator=(const Events&) = delete;

    // Waits for one event. Signals first, in the order in which the kernel hands them out; the others once each.
    // TimedOut also when `alarm_fd` is readable.
    [[nodiscard]] Event wait(const Deadline& deadline, int extra_fd = -1, int alarm_fd = -1);

    // `gone` is called from within wait() when poll(2) reports an error of the descriptor, as for a pipe that lost its
    // reader; once, unless it watches anew. -1: watch no more.
    void watch_companion(int fd, std::function<void()> gone);

    // LockLost, once, when it can be read from. -1: watch no more.
    void watch_lock(int fd) { m_lock = fd; }

    // `beside` is borrowed; nullptr: none.
    void work_beside(Beside* beside) { m_beside = beside; }
    [[nodiscard]] Beside* beside() const { return m_beside; }

    // Hears of the changes of children that nobody waits for.
    void hear_children(OtherChild other) { m_other_child = std::move(other); }
    // For whoever reaps them.
    [[nodiscard]] const OtherChild& other_child() const { return m_hear_child; }
    // Whether one of them was killed since the last call, and not by a signal that only asks it to stop: the last of a
    // run that nobody is left to finish was, since a guardian heeds none of those.
    [[nodiscard]] bool take_child_was_killed() { return std::exchange(m_child_was_killed, false); }
    // From within that: the next event is ServiceEnded.
    void raise_service_ended() { m_service_ended = true; }
    void forget_service_ended() { m_service_ended = false; }

    [[nodiscard]] Signals& signals() { return m_signals; }

private:
    void hear(const siginfo_t& change);

    Signals& m_signals;
    Fd m_caller;
    bool m_caller_gone = false;
    bool m_watch_stdout;
    int m_companion = -1;
    int m_lock = -1;
    std::function<void()> m_companion_gone;
    Beside* m_beside = nullptr;
    OtherChild m_other_child;
    OtherChild m_hear_child = [this](const siginfo_t& change) { hear(change); };
    bool m_child_was_killed = false;
    bool m_service_ended = false;
};

} // namespace finally_run::os
