#include "action/stop.hpp"

#include "action/find_runs.hpp"
#include "journal/file.hpp"
#include "journal/leftover.hpp"
#include "journal/origin.hpp"
#include "journal/runs.hpp"
#include "lock/waiter.hpp"
#include "os/clock.hpp"
#include "os/events.hpp"
#include "os/process.hpp"
#include "os/state_dir.hpp"
#include "report/call.hpp"
#include "report/messages.hpp"
#include "rescue/inner_guardians.hpp"
#include "supervise/survivors.hpp"

#include <algorithm>
#include <csignal>
#include <optional>
#include <string>
#include <sys/file.h>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

namespace finally_run::action {

namespace {

// Whoever works on the run starts its next process without telling us.
constexpr auto next_look = std::chrono::milliseconds(50);

void signal_all(supervise::Survivors& processes, int signal) {
    for (const os::ProcessInfo& process : processes.members()) {
        if (!rescue::is_guardian(process)) { // it finishes an inner run, and is waited for
            os::send_signal(process, signal);
            os::send_signal(process, SIGCONT);
        }
    }
}

// Ends what was at work when it was asked for, each time that it is started again: a cleanup that was cut off is run
// once more by the guardian, and a failed one is tried again.
class Stopper {
public:
    void look(const journal::State& state);
    [[nodiscard]] const os::Deadline& next_kill() const { return m_kill_at; }
    void kill_if_due();

private:
    void stop_command(const journal::State& state);
    void stop_cleanup(const journal::State& state, const journal::Started& cleaning);

    bool m_told = false;                    // whoever watches over the command
    std::optional<std::uint64_t> m_cleanup; // its id
    std::optional<supervise::Survivors> m_processes;
    os::Deadline m_kill_at;
};

void Stopper::stop_command(const journal::State& state) {
    const journal::ProcessId& supervisor = state.opened.supervisor;
    const auto process =
        os::still_runs(supervisor.pid, supervisor.boot_nanoseconds) ? os::read_process(supervisor.pid) : std::nullopt;
    if (process) {
        os::send_signal(*process, SIGTERM);
        os::send_signal(*process, SIGCONT);
    }
}

void Stopper::stop_cleanup(const journal::State& state, const journal::Started& cleaning) {
    const journal::ProcessId& process = cleaning.process;
    const auto seen =
        os::still_runs(process.pid, process.boot_nanoseconds) ? os::read_process(process.pid) : std::nullopt;
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
            return;
        }
        m_cleanup = state.cleaning        ? std::optional(state.cleaning->cleanup)
                    : state.stack.empty() ? std::nullopt
                                          : std::optional(state.stack.back().id);
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

// Whether its processes can be told from here, and it lives.
bool can_be_stopped(const journal::File& file, const journal::State& state, const plan::Stop& request,
                    report::Messages& messages) {
    const std::string run = "run " + state.opened.run_id;
    const std::string program = report::call_for(request.state_dir);
    const journal::Origin origin = journal::origin_of(state.opened);
    if (!file.is_locked_by_other()) {
        messages.error(run + " is not alive", {}, program + " --recover finishes it");
        return false;
    }
    if (!origin.same_host || !origin.same_boot || origin.pids != journal::Pids::same) {
        messages.error(run + " cannot be stopped", {}, "its processes cannot be told from here");
        return false;
    }
    return true;
}

plan::ExitStatus stop_one(const journal::Item& item, const plan::Stop& request, os::Signals& signals,
                          report::Messages& messages) {
    std::optional<journal::File> file;
    try {
        file = journal::File::open(item.path);
    } catch (const std::system_error& error) {
        if (error.code() == std::errc::no_such_file_or_directory) {
            return {}; // it has just ended
        }
        throw;
    }
    auto state = journal::read_state(item.path);
    if (state && !can_be_stopped(*file, *state, request, messages)) {
        return {plan::own_failure_status, 0};
    }
    const os::Deadline deadline = os::deadline_after(request.wait);
    os::Events events(signals, {});
    lock::Waiter over(file->fd(), LOCK_EX);
    Stopper stopper;
    for (;; state = journal::read_state(item.path)) {
        if (state) {
            stopper.look(*state);
        }
        stopper.kill_if_due();
        const os::Event event =
            events.wait(os::earliest({deadline, stopper.next_kill(), os::deadline_after(next_look)}), over.ready_fd());
        if (std::holds_alternative<os::Readable>(event)) {
            static_cast<void>(over.result());
            return {};
        }
        const auto* const signal = std::get_if<os::Signal>(&event);
        if (const int ending = signal != nullptr ? os::ends_a_wait(*signal) : 0; ending != 0) {
            return {128 + ending, ending};
        }
        if (os::has_passed(deadline)) {
            messages.error("run " + item.id + " has been told to stop, and is not over", {},
                           report::call_for(request.state_dir) + " --status shows it");
            return {plan::Plan{}.conflict_exit_code, 0};
        }
    }
}

} // namespace

plan::ExitStatus stop(const plan::Stop& request, os::Signals& signals) {
    report::Messages messages(request.verbosity);
    const auto state_dir = os::state_dir_path(request.state_dir);
    std::optional<journal::Runs> runs;
    if (journal::Runs::exist(state_dir)) {
        runs.emplace(state_dir);
    }
    const FoundRuns found = find_runs(request.runs, runs ? runs->items() : std::vector<journal::Item>(), messages);
    plan::ExitStatus worst{found.complete ? 0 : plan::own_failure_status, 0};
    for (const journal::Item& item : found.runs) {
        const plan::ExitStatus status = stop_one(item, request, signals, messages);
        if (status.signal != 0) {
            return status;
        }
        worst = status.code != 0 ? status : worst;
    }
    return worst;
}

} // namespace finally_run::action
