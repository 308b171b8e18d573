// What can reach a waiting run from outside: signals, the end of its caller, the end of the reader of its stdout.
#pragma once

#include "os/clock.hpp"
#include "os/fd.hpp"
#include "os/signals.hpp"

#include <functional>
#include <optional>
#include <variant>

namespace finally_run::os {

struct CallerGone {};
struct TimedOut {};
struct Readable {}; // the extra descriptor
struct LockLost {}; // one that machines share
using Event = std::variant<Signal, CallerGone, TimedOut, Readable, LockLost>;

// What ends a wait for something that somebody else has: a signal, or the end of the caller (then by TERM).
struct Interrupted {
    int signal;
    bool caller_gone;
};

// nullopt: the event does not end it. One that stops us has done so by then: see ends_a_wait().
[[nodiscard]] std::optional<Interrupted> interrupted_by(const Event& event);

struct Watched {
    bool caller = false;        // our parent, unless that is pid 1 or outside our pid namespace
    bool stdout_reader = false; // a pipe, socket or terminal on stdout that nobody reads any more
};

class Events {
public:
    // `signals` outlives this.
    Events(Signals& signals, Watched watched);

    // Waits for one event. Signals first, in the order in which the kernel hands them out; the others once each.
    // TimedOut also when `alarm_fd` is readable.
    [[nodiscard]] Event wait(const Deadline& deadline, int extra_fd = -1, int alarm_fd = -1);

    // `gone` is called from within wait() when poll(2) reports an error of the descriptor, as for a pipe that lost its
    // reader; once, unless it watches anew. -1: watch no more.
    void watch_companion(int fd, std::function<void()> gone);

    // LockLost, once, when it can be read from. -1: watch no more.
    void watch_lock(int fd) { m_lock = fd; }

    [[nodiscard]] Signals& signals() { return m_signals; }

private:
    Signals& m_signals;
    Fd m_caller;
    bool m_caller_gone = false;
    bool m_watch_stdout;
    int m_companion = -1;
    int m_lock = -1;
    std::function<void()> m_companion_gone;
};

} // namespace finally_run::os
