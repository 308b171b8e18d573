#include "supervise/policy.hpp"

#include <csignal>
#include <utility>

namespace finally_run::supervise {

bool Policy::came_from_terminal(const os::Signal& signal) const {
    if (!m_shares_group || !signal.from_kernel) {
        return false;
    }
    // Not HUP: on a hang-up the kernel tells the session leader alone.
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

Action Policy::stop(StopCause cause, int signal) {
    Action action{.send = signal};
    // After SIGKILL nothing can follow, and a SIGCONT is one already.
    action.then_continue = m_command_stopped && signal != SIGKILL && signal != SIGCONT;
    action.kill = signal == SIGKILL;
    action.start_grace = !stopping();
    if (!stopping()) {
        m_cause = cause;
        m_cause_signal = signal;
    }
    m_told = m_shares_group ? 0 : signal; // in a shared group only the command itself was told
    return action;
}

Action Policy::on_signal(const os::Signal& signal) {
    if (signal.number == SIGCONT && std::exchange(m_expect_continue, false)) {
        return {};
    }
    const bool from_terminal = came_from_terminal(signal);
    switch (signal.number) {
    case SIGHUP:
    case SIGTERM:
        return stop(StopCause::signal, signal.number);
    case SIGINT:
    case SIGQUIT:
        m_interrupt = signal.number;
        if (from_terminal || !m_shares_group) {
            m_told = signal.number;
        }
        return {.send = from_terminal ? 0 : signal.number, .then_continue = !from_terminal && m_command_stopped};
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        // Without a terminal there is no shell that watches over orphaned groups: somebody means us.
        return {.send = from_terminal ? 0 : signal.number, .stop_self = m_shares_group ? signal.number : SIGSTOP};
    default:
        return {.send = from_terminal ? 0 : signal.number};
    }
}

Action Policy::on_time_limit() { return stopping() ? Action{} : stop(StopCause::time_limit, m_stop_signal); }

Action Policy::on_caller_gone() { return stopping() ? Action{} : stop(StopCause::caller_gone, m_stop_signal); }

Action Policy::on_grace_over() const { return {.kill = true}; }

Action Policy::on_command_stopped(int signal) {
    m_command_stopped = true;
    // A program that stops itself (an editor on Ctrl+Z) expects its shell to notice; the shell sees only us.
    const bool job_control = signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
    return {.stop_self = m_shares_group && job_control ? signal : 0};
}

bool Policy::was_stopped(const os::WaitStatus& status) const {
    return stopping() || (m_interrupt != 0 && !status.success());
}

int Policy::leftover_signal() const {
    return m_cause == StopCause::time_limit || m_cause == StopCause::caller_gone ? m_stop_signal : SIGTERM;
}

plan::Ending Policy::ending(const os::WaitStatus& status) const {
    using plan::Result;
    const auto signal_or = [&](int other) { return status.signal() != 0 ? status.signal() : other; };
    switch (m_cause) {
    case StopCause::time_limit:
        return {Result::timeout, 124, signal_or(m_cause_signal)};
    case StopCause::caller_gone:
        return {Result::caller_gone, status.shell_code(), signal_or(m_cause_signal)};
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
