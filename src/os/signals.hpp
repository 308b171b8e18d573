// Signals without handlers: all are blocked and read from a signalfd(2).
#pragma once

#include "os/fd.hpp"
#include "plan/rewrite.hpp"

#include <csignal>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <sys/types.h>

struct signalfd_siginfo;

namespace finally_run::os {

// A mask and the set of ignored signals, as execve(2) hands them down. Whatever is not ignored is at its default: a
// program that was just executed has no handlers.
struct SignalState {
    sigset_t mask;
    sigset_t ignored;
};

// Nothing blocked, nothing ignored.
[[nodiscard]] SignalState default_signals();

struct Signal {
    int number;
    bool from_kernel; // SI_KERNEL: typed at the terminal or sent by its driver; else kill(2) and its like
    pid_t sender = 0; // of kill(2); 0 if it is in another pid namespace
};

// What a signalfd(2) has handed out.
[[nodiscard]] Signal signal_of(const signalfd_siginfo& info);

// What a signal does to a program that takes no measures: signal(7).
enum class DefaultAction { ignore, stop, end };
[[nodiscard]] DefaultAction default_action(int signal);

// Those that ask a run to end: HUP, INT, QUIT and TERM.
[[nodiscard]] bool means_stop(int signal);

// Returns when every kill(2) of a process group that was under way has told all of the group. Async-signal-safe.
void await_group_signals();

// The signals behind a label of proc(5), status: each is the bit of its number less one. nullopt: the label is not
// there, or what follows is not whole. Async-signal-safe, as is_in().
inline constexpr std::string_view ignored_label = "\nSigIgn:\t";
[[nodiscard]] std::optional<std::uint64_t> mask_in(std::string_view status, std::string_view label);
[[nodiscard]] bool is_in(std::uint64_t mask, int signal);

// For a child that was just made: what is pending in its parent and not here. `parent_status`: the parent's open
// /proc/self/status. nullopt: it does not tell. Async-signal-safe.
[[nodiscard]] std::optional<sigset_t> pending_in_parent_alone(int parent_status);

// Blocks every signal, for the rest of the process unless given back: one that comes after the last cleanup must not
// change the status any more. One object a process, before any thread is started.
class Signals {
public:
    Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    // Puts back the mask of the start, for what does not read signals from here. Those that have come take effect now.
    void give_back() const { ::sigprocmask(SIG_SETMASK, &m_inherited.mask, nullptr); }

    [[nodiscard]] int fd() const { return m_fd.get(); } // readable when next() has something to say
    [[nodiscard]] const SignalState& inherited() const { return m_inherited; }
    // What this process ignores now: as inherited, but for SIGCHLD.
    [[nodiscard]] const sigset_t& ignored_here() const { return m_ignored_here; }
    [[nodiscard]] bool ignored_at_entry(int signal) const { return sigismember(&m_inherited.ignored, signal) == 1; }

    // The next signal that was sent to us, without waiting. SIGCHLD of a child that changed state comes with
    // from_kernel set. Left out: what was ignored at entry (it stays ignored), and the SIGPIPE or SIGXFSZ of our
    // own writes.
    [[nodiscard]] std::optional<Signal> next();

    // A HUP, INT, QUIT or TERM that next() has yet to hand out, and that is to be passed on as one of them; 0: none.
    [[nodiscard]] int pending_stop(std::span<const plan::Rewrite> rewrites = {}) const;

private:
    SignalState m_inherited{};
    sigset_t m_ignored_here{};
    Fd m_fd;
};

// Whether a blocked signal waits to be read, for this thread or the process.
[[nodiscard]] bool is_pending(int signal);

// Stops this process by the signal: STOP, or TSTP, TTIN or TTOU, which do nothing in an orphaned process group, where
// nobody could continue us (setpgid(2)). Returns after SIGCONT; whether we were stopped.
bool stop_self(int signal);

// What a signal asks of us while we do nothing but wait, as of any program without handlers: to stop here until
// SIGCONT, or to end. Returned is the signal that ends the wait; 0: it goes on.
[[nodiscard]] int ends_a_wait(const Signal& signal);

// Ends this process by the signal, so that a shell or make sees what happened; no core dump. As pid 1, which its own
// signals cannot kill, and for SIGKILL it exits with 128+n.
[[noreturn]] void die_of(int signal);

} // namespace finally_run::os
