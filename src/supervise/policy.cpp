#include "supervise/policy.hpp"

#include "plan/exit_status.hpp"

#include <csignal>
#include <utility>

namespace finally_run::supervise {

namespace {

// Sent by the driver of the terminal to the whole group. Not HUP: on a hang-up the kernel tells the session leader
// alone.
bool came_from_terminal(const os::Signal& signal) {
    if (!signal.from_kernel) {
        return false;
    }
    switch (signal.number) {
    case SIGINT:
    case SIGQUIT:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
    case SIGWINCH:
        return true;
    default:
        return false;
    }
}

} // namespace

Reaction Policy::stop(StopCause cause, int signal) {
    Reaction reaction{.send = signal};
    // After SIGKILL nothing can follow, and a SIGCONT is one already.
    reaction.then_continue = m_command_stopped && signal != SIGKILL && signal != SIGCONT;
    reaction.kill = signal == SIGKILL;
    reaction.start_grace = !stopping();
    if (!stopping()) {
        m_cause = cause;
        m_cause_signal = signal;
    }
    m_told = m_shares_group ? 0 : signal; // in a shared group only the command itself was told
    return reaction;
}

Reaction Policy::on_signal(const os::Signal& signal, bool in_our_group, Told told) {
    // What others have told the command has reached it as it is.
    const bool reached = told == Told::everybody || (in_our_group && came_from_terminal(signal));
    const int number = reached ? signal.number : plan::passed_on_as(m_rewrites, signal.number);
    if (number == signal.number) {
        return react_to(signal, in_our_group, told);
    }
    if (number == 0) {
        return {};
    }
    // From here on as if the other one had been sent. But a stop remains one: TERM:QUIT has its grace period.
    const bool was_stop = signal.number == SIGTERM || signal.number == SIGHUP;
    if (number == SIGKILL || (was_stop && (number == SIGINT || number == SIGQUIT))) {
        return stop(StopCause::signal, number);
    }
    os::Signal rewritten = signal;
    rewritten.number = number;
    rewritten.from_kernel = false;
    return react_to(rewritten, in_our_group, told);
}

Reaction Policy::react_to(const os::Signal& signal, bool in_our_group, Told told) {
    const bool group_told = told == Told::everybody || (in_our_group && came_from_terminal(signal));
    // Who asks for the end of its own run, like `kill 1` in a container, waits for it.
    const bool reached = group_told || (told == Told::sender && !os::means_stop(signal.number));
    switch (signal.number) {
    case SIGHUP:
    case SIGTERM: {
        Reaction reaction = stop(StopCause::signal, signal.number);
        if (reached) {
            reaction.send = 0;
            m_told = signal.number;
            return reaction;
        }
        // A hang-up. The kernel would tell the whole foreground group when its leader dies; this one lives on.
        reaction.to_group = signal.number == SIGHUP && m_leads_session && signal.from_kernel && in_our_group;
        if (reaction.to_group) {
            m_told = SIGHUP;
        }
        return reaction;
    }
    case SIGINT:
    case SIGQUIT:
        m_interrupt = signal.number;
        if (reached || !m_shares_group) {
            m_told = signal.number;
        }
        return {.send = reached ? 0 : signal.number, .then_continue = !reached && m_command_stopped};
    case SIGCONT:
        if (reached) {
            m_self_continued = false;
            return {};
        }
        // A shell continues the whole group. One more SIGCONT from us might come after the next Ctrl+Z, and undo it.
        if (std::exchange(m_self_continued, false) && m_shares_group && (m_command_followed || !m_command_stopped)) {
            return {};
        }
        return {.send = SIGCONT};
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        m_self_continued = false; // a stop signal discards a pending SIGCONT
        // We stop when the command has: a shell that saw us stop first would share the terminal's input with it.
        m_stop_with_command = !m_shares_group && !m_command_stopped;
        if (stopping()) {
            return {.send = reached ? 0 : signal.number}; // the grace period goes on
        }
        if (!m_shares_group) {
            return {.send = reached ? 0 : signal.number, .stop_self = m_command_stopped ? SIGSTOP : 0};
        }
        return {.send = reached ? 0 : signal.number,
                .stop_self = std::exchange(m_stop_not_followed, false) ? signal.number : 0};
    default:
        return {.send = reached ? 0 : signal.number};
    }
}

Reaction Policy::on_time_limit() { return stopping() ? Reaction{} : stop(StopCause::time_limit, m_stop_signal); }

Reaction Policy::on_caller_gone() { return stopping() ? Reaction{} : stop(StopCause::caller_gone, m_stop_signal); }

Reaction Policy::on_service_ended() { return stopping() ? Reaction{} : stop(StopCause::service_ended, m_stop_signal); }

Reaction Policy::on_lock_lost() {
    if (stopping()) {
        m_cause = StopCause::lock_lost;
        return {};
    }
    return stop(StopCause::lock_lost, m_stop_signal);
}

Reaction Policy::on_grace_over() const { return {.kill = true}; }

void Policy::on_orphans_to_end(StopCause cause, int signal) {
    m_cause = cause;
    m_cause_signal = cause == StopCause::signal ? signal : m_stop_signal;
}

Reaction Policy::on_command_stopped(int signal) {
    m_command_stopped = true;
    if (stopping()) {
        return {};
    }
    // Without a terminal there is no shell that watches over orphaned process groups, in which TSTP does nothing.
    // Somebody sent it to us and means us.
    if (std::exchange(m_stop_with_command, false)) {
        return {.stop_self = SIGSTOP};
    }
    // On a terminal the command may also have stopped itself, like an editor on Ctrl+Z or a shell on `suspend`, and
    // the shell sees only us.
    if (!m_shares_group) {
        return {};
    }
    // We have been continued: is the command about to be, or is this the next stop? The signal that we read next tells.
    if (m_self_continued && !m_command_followed) {
        m_stop_not_followed = true;
        return {};
    }
    return {.stop_self = signal == SIGSTOP ? SIGTSTP : signal}; // STOP would hold in an orphaned group too
}

void Policy::on_command_continued() {
    m_command_stopped = false;
    m_stop_not_followed = false;
    m_command_followed = m_self_continued;
}

void Policy::on_self_continued() {
    m_self_continued = true;
    m_command_followed = false;
}

bool Policy::was_stopped(const os::WaitStatus& status) const {
    return stopping() || (m_interrupt != 0 && !status.success());
}

int Policy::leftover_signal() const {
    switch (m_cause) {
    case StopCause::time_limit:
    case StopCause::caller_gone:
    case StopCause::lock_lost:
    case StopCause::service_ended:
        return m_stop_signal;
    case StopCause::none:
    case StopCause::signal:
        break;
    }
    return SIGTERM;
}

plan::Ending Policy::ending(const os::WaitStatus& status) const {
    using plan::Result;
    const auto signal_or = [&](int other) { return status.signal() != 0 ? status.signal() : other; };
    switch (m_cause) {
    case StopCause::time_limit:
        return {Result::timeout, 124, signal_or(m_cause_signal)};
    case StopCause::caller_gone:
        return {Result::caller_gone, status.shell_code(), signal_or(m_cause_signal)};
    case StopCause::lock_lost:
        return {Result::lock_lost, plan::lock_lost_status, signal_or(m_cause_signal)};
    case StopCause::service_ended:
        return {Result::service_ended, plan::own_failure_status, signal_or(m_cause_signal)};
    case StopCause::signal:
        return {Result::stopped, status.shell_code(), signal_or(m_cause_signal)};
    case StopCause::none:
        break;
    }
    if (was_stopped(status)) {
        return {Result::stopped, status.shell_code(), signal_or(m_interrupt)};
    }
    if (status.signal() != 0) {
        return {Result::signal, status.shell_code(), status.signal()};
    }
    return {status.success() ? Result::success : Result::failure, status.shell_code(), 0};
}

} // namespace finally_run::supervise
