#include "rescue/stopper.hpp"

#include "os/error.hpp"
#include "os/process.hpp"
#include "rescue/inner_runs.hpp"

#include <csignal>
#include <optional>
#include <system_error>
#include <utility>

namespace finally_run::rescue {

namespace {

std::optional<os::ProcessInfo> running(const journal::ProcessId& process) {
    return os::running(process.pid, process.boot_nanoseconds);
}

// Also to one that is stopped.
void tell(const os::ProcessInfo& process, int signal) {
    os::send_signal(process, signal);
    os::send_signal(process, SIGCONT);
}

void signal_all(supervise::Survivors& processes, int signal) {
    for (const os::ProcessInfo& process : processes.members()) {
        // A guardian finishes an inner run, and is waited for. The cleanup itself looks like ours until execve(2).
        if (process.pid == processes.pid || !is_guardian(process)) {
            tell(process, signal);
        }
    }
}

} // namespace

void Stopper::stop_command(const journal::State& state) {
    if (const auto supervisor = running(state.opened.supervisor)) {
        tell(*supervisor, SIGTERM);
    }
}

void Stopper::write_down(std::uint64_t cleanup) {
    try {
        m_file.append(journal::StopAsked{cleanup});
    } catch (const std::system_error& error) {
        if (!m_file.is_sealed_or_removed()) { // else it has just ended
            m_trouble(os::error_text(error.code().value()));
        }
    }
}

void Stopper::stop_cleanup(const journal::State& state, const journal::Started& cleaning) {
    if (!std::exchange(m_written_down, true)) {
        write_down(cleaning.cleanup);
        // It may be between two tries, in a pause that ends with the next child of its own: so it looks.
        if (const auto worker = running(state.worker())) {
            os::send_signal(*worker, SIGCHLD);
        }
    }
    const journal::ProcessId& process = cleaning.process;
    const auto seen = running(process);
    if (!seen ||
        (m_processes && m_processes->pid == process.pid && m_processes->boot_nanoseconds == process.boot_nanoseconds)) {
        return;
    }
    // It leads a group, and, without a terminal, a session. Both numbers are its own, for it lives.
    m_processes = supervise::Survivors{.pid = process.pid,
                                       .boot_nanoseconds = process.boot_nanoseconds,
                                       .session = seen->session,
                                       .mark = {},
                                       .alone_in_group = true};
    signal_all(*m_processes, SIGTERM);
    m_kill_at = os::deadline_after(state.opened.grace);
}

void Stopper::look(const journal::State& state) {
    if (!std::exchange(m_told, true)) {
        if (!state.cleans_up()) {
            stop_command(state);
        } else if (state.cleaning) {
            m_cleanup = state.cleaning->cleanup;
        } else if (!state.stack.empty() && state.ending) {
            m_cleanup = state.stack.back().id; // one that has not begun while the command is being ended is not meant
        }
    }
    // For the last holder of a lock it runs before the command. It may begin just after we have told the supervisor.
    if (!m_cleanup && state.cleaning && !state.cleans_up()) {
        m_cleanup = state.cleaning->cleanup;
    }
    if (state.cleaning && m_cleanup == state.cleaning->cleanup) {
        stop_cleanup(state, *state.cleaning);
    }
}

void Stopper::kill_if_due() {
    if (os::has_passed(m_kill_at)) {
        m_kill_at.reset();
        signal_all(*m_processes, SIGKILL);
    }
}

} // namespace finally_run::rescue
