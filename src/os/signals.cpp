#include "os/signals.hpp"

#include "os/error.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace finally_run::os {

namespace {

sigset_t all_signals() {
    sigset_t all;
    ::sigfillset(&all);
    return all;
}

void set_default(int signal) {
    struct sigaction action = {};
    action.sa_handler = SIG_DFL;
    ::sigaction(signal, &action, nullptr);
}

// nullopt: there is no /proc here, or it does not tell.
std::optional<std::uint64_t> ignored_by_proc() {
    std::array<char, 2048> text{}; // where somebody's groups fill it, each is asked for
    const Fd status(::open("/proc/self/status", O_RDONLY | O_NOCTTY | O_CLOEXEC));
    const ssize_t length = status ? ::read(status.get(), text.data(), text.size()) : -1;
    return mask_in({text.data(), length > 0 ? static_cast<std::size_t>(length) : 0}, ignored_label);
}

// All in one look, which is a fifth of what it takes to ask for each.
sigset_t ignored_signals() {
    sigset_t ignored;
    ::sigemptyset(&ignored);
    const auto told = ignored_by_proc();
    for (int signal = 1; signal <= SIGRTMAX; ++signal) {
        struct sigaction action = {};
        if (told ? is_in(*told, signal) : ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN) {
            ::sigaddset(&ignored, signal);
        }
    }
    return ignored;
}

} // namespace

std::optional<std::uint64_t> mask_in(std::string_view status, std::string_view label) {
    const std::size_t at = status.find(label);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    std::uint64_t mask = 0;
    const char* const digits = status.data() + at + label.size();
    const char* const end = status.data() + status.size();
    const auto read = std::from_chars(digits, end, mask, 16);
    return read.ptr != digits && read.ptr != end && *read.ptr == '\n' ? std::optional(mask) : std::nullopt;
}

bool is_in(std::uint64_t mask, int signal) { return (mask >> (signal - 1) & 1) != 0; }

SignalState default_signals() {
    SignalState state;
    ::sigemptyset(&state.mask);
    ::sigemptyset(&state.ignored);
    return state;
}

DefaultAction default_action(int signal) {
    switch (signal) {
    case SIGCHLD:
    case SIGCONT:
    case SIGURG:
    case SIGWINCH:
        return DefaultAction::ignore;
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        return DefaultAction::stop;
    default:
        return DefaultAction::end;
    }
}

bool means_stop(int signal) { return signal == SIGHUP || signal == SIGINT || signal == SIGQUIT || signal == SIGTERM; }

void await_group_signals() {
    // This changes nothing, as there is no such group; but the kernel takes its list of tasks for writing, and so waits
    // for a kill(2) of a group, which reads it: kernel/sys.c, kernel/signal.c.
    ::setpgid(0, INT_MAX);
}

std::optional<sigset_t> pending_in_parent_alone(int parent_status) {
    std::array<char, 8192> text{}; // of the child's small stack; more there is only for who has hundreds of groups
    const ssize_t length = ::pread(parent_status, text.data(), text.size(), 0);
    const std::string_view status(text.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    const auto pending = mask_in(status, "\nShdPnd:\t");
    if (!pending) {
        return std::nullopt;
    }
    // Whoever told our parent before that look has told us by now, unless we were not there.
    await_group_signals();
    sigset_t here;
    if (::sigpending(&here) < 0) {
        return std::nullopt;
    }
    sigset_t alone;
    ::sigemptyset(&alone);
    for (int signal = 1; signal <= 64; ++signal) {
        if (is_in(*pending, signal) && ::sigismember(&here, signal) != 1) {
            ::sigaddset(&alone, signal);
        }
    }
    return alone;
}

Signal signal_of(const signalfd_siginfo& info) {
    // A positive code comes from the kernel, which has other uses for the place of the pid.
    const pid_t sender = info.ssi_code <= 0 ? static_cast<pid_t>(info.ssi_pid) : 0;
    return {static_cast<int>(info.ssi_signo), info.ssi_code == SI_KERNEL, sender};
}

Signals::Signals() {
    const sigset_t all = all_signals();
    if (::sigprocmask(SIG_SETMASK, &all, &m_inherited.mask) < 0) {
        throw_errno("sigprocmask");
    }
    m_inherited.ignored = ignored_signals();
    m_ignored_here = m_inherited.ignored;
    ::sigdelset(&m_ignored_here, SIGCHLD);
    // With SIGCHLD ignored the kernel would reap our children behind our back: wait(2).
    if (ignored_at_entry(SIGCHLD)) {
        set_default(SIGCHLD);
    }
    const int fd = ::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        throw_errno("signalfd");
    }
    m_fd = moved_high(Fd(fd));
}

std::optional<Signal> Signals::next() {
    signalfd_siginfo info;
    while (::read(m_fd.get(), &info, sizeof info) == sizeof info) {
        const int number = static_cast<int>(info.ssi_signo);
        // One that was sent and one of a child come as one, described as either.
        const bool child_changed = number == SIGCHLD && (info.ssi_code > 0 || ignored_at_entry(SIGCHLD));
        if (ignored_at_entry(number) && !child_changed) {
            continue;
        }
        // A write to a pipe without a reader, or beyond the file size limit: the kernel sends it as if by ourselves.
        if ((number == SIGPIPE || number == SIGXFSZ) && static_cast<pid_t>(info.ssi_pid) == ::getpid()) {
            continue;
        }
        Signal signal = signal_of(info);
        signal.from_kernel = signal.from_kernel || child_changed;
        return signal;
    }
    return std::nullopt;
}

int Signals::pending_stop(std::span<const plan::Rewrite> rewrites) const {
    sigset_t pending;
    ::sigemptyset(&pending); // as it stays where sigpending(2) is refused
    ::sigpending(&pending);
    constexpr std::array stops{SIGTERM, SIGINT, SIGQUIT, SIGHUP};
    for (const int signal : stops) {
        if (means_stop(plan::passed_on_as(rewrites, signal)) && ::sigismember(&pending, signal) == 1 &&
            !ignored_at_entry(signal)) {
            return signal;
        }
    }
    return 0;
}

bool is_pending(int signal) {
    sigset_t pending;
    ::sigemptyset(&pending);
    ::sigpending(&pending);
    return ::sigismember(&pending, signal) == 1;
}

bool stop_self(int signal) {
    if (is_pending(SIGCONT)) {
        return true; // whoever continues us was faster
    }
    sigset_t one;
    ::sigemptyset(&one);
    ::sigaddset(&one, signal);
    ::kill(::getpid(), signal);
    sigset_t before;
    ::sigprocmask(SIG_UNBLOCK, &one, &before);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return is_pending(SIGCONT); // a stop signal discards a pending one, so this one came after it
}

int ends_a_wait(const Signal& signal) {
    const DefaultAction action = default_action(signal.number);
    if (action == DefaultAction::stop) {
        stop_self(signal.number);
    }
    return action == DefaultAction::end ? signal.number : 0;
}

void die_of(int signal) {
    const int status = 128 + signal;
    if (signal == SIGKILL || ::getpid() == 1) {
        ::_exit(status);
    }
    // The command has dumped its core, if it was to; ours would only hide it.
    const rlimit no_core = {0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); // a core_pattern that is a pipe does not ask the limit: core(5)
    set_default(signal);
    sigset_t one;
    ::sigemptyset(&one);
    ::sigaddset(&one, signal);
    ::kill(::getpid(), signal);
    ::sigprocmask(SIG_UNBLOCK, &one, nullptr);
    ::_exit(status);
}

} // namespace finally_run::os
