#include "report/narrator.hpp"

#include "cleanup/command.hpp"
#include "os/boot.hpp"
#include "os/error.hpp"
#include "os/process.hpp"
#include "os/whoami.hpp"
#include "os/write_all.hpp"
#include "report/call.hpp"
#include "report/ended.hpp"
#include "report/lock_wait.hpp"
#include "report/report_file.hpp"
#include "text/signal_name.hpp"
#include "text/version.hpp"

#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace finally_run::report {

namespace {

// What helps against a command that has survived two Ctrl+C.
std::string again_text(const plan::Plan& plan) {
    const std::string how = "TERM (kill " + std::to_string(::getpid()) + ")";
    return ", has been sent INT twice; a third Ctrl+C is passed on like these, " +
           (plan.grace ? how + " ends it within " + duration_text(*plan.grace) : how + " asks it to end");
}

} // namespace

Narrator::Narrator(const plan::Plan& plan, const char* const* environment, std::string run_id)
    : m_plan(plan), m_messages(plan.verbosity), m_ci(resolve_ci(plan.ci, environment)),
      m_ci_log(m_ci, run_id, m_messages) {
    m_report.version = text::version;
    m_report.id = std::move(run_id);
    m_report.started = std::chrono::system_clock::now();
    if (!plan.report.empty()) {
        m_report.command.assign(plan.command.begin(), plan.command.end());
        std::error_code ignored; // of a directory that has been deleted
        m_report.directory = std::filesystem::current_path(ignored).native();
        for (const plan::LockRequest& lock : plan.locks) {
            m_report.locks.push_back({lock.name, lock.shared});
        }
    }
}

void Narrator::failed(std::string_view what, std::string_view object, std::string_view reason) {
    m_messages.error(what, object, reason);
}

void Narrator::failed(const std::exception& error) {
    if (const auto* const of_system = dynamic_cast<const os::Error*>(&error)) {
        failed(of_system->operation(), of_system->object(), of_system->reason());
    } else {
        failed(os::text_of(error));
    }
}

text::Limit Narrator::lock_awaited(const std::string& name, const std::optional<lock::Holder>& holder,
                                   text::Duration waited) {
    return say_waiting(m_messages, name, holder, waited);
}

void Narrator::lock_wait_over(text::Duration waited) {
    m_messages.finish_transient();
    m_report.lock_wait = m_report.lock_wait.value_or(text::Duration()) + waited; // at its engine once more
}

void Narrator::lock_not_had(const lock::NotHad& not_had) {
    if (not_had.why == lock::NotHad::Why::outer_run) {
        m_messages.error("lock", not_had.name,
                         "an outer run holds it, pid " + std::to_string(not_had.holder->pid) +
                             ": this run would wait for itself");
    } else {
        m_messages.note("lock", not_had.name, "held by " + describe(not_had.holder)); // the status tells it too
    }
}

text::Limit Narrator::lock_awaited(const std::string& name, const std::string& holder, text::Duration waited) {
    return say_waiting(
        m_messages, name,
        holder.empty() ? std::string_view("its engine has not said who holds it") : std::string_view(holder), waited);
}

void Narrator::lock_not_had(const engine::NotHad& not_had) {
    if (not_had.busy) {
        m_messages.note("lock", not_had.name, not_had.reason.empty() ? "not free" : not_had.reason);
    } else {
        m_messages.error("lock", not_had.name, not_had.reason);
    }
}

void Narrator::locks_had(const std::vector<engine::HeldLock>& at_engines) {
    add_engines(m_report.locks, at_engines, std::chrono::system_clock::now());
}

void Narrator::lock_not_freed(const std::optional<plan::LockLoss>& unknown) {
    if (unknown) {
        failed("lock may still be held", listed(unknown->names), unknown->reason);
    }
}

void Narrator::lock_lost(const plan::LockLoss& loss, std::optional<bool> sent) {
    if (std::exchange(m_loss_told, true)) {
        return;
    }
    for (const std::string& name : loss.names) {
        note_loss(m_report.locks, name);
    }
    std::string reason = loss.reason;
    if (sent) {
        reason += (*sent ? ", sent " : ", cannot be sent ") + text::signal_name(m_plan.stop_signal);
    }
    m_messages.error("lock lost", listed(loss.names), reason);
}

void Narrator::setup_begins(const std::string& cmd) { m_ci_log.open_section("setup", cmd); }

void Narrator::setup_ends(const std::string& cmd, const cleanup::Outcome& outcome, text::Duration took) {
    step_ended("setup", cmd, outcome, took, *m_report.setups);
}

ServiceOutput::When Narrator::service_output_when() const {
    return m_ci == plan::Ci::none ? ServiceOutput::When::as_it_comes : ServiceOutput::When::at_its_end;
}

std::string how_service_ended(const os::WaitStatus& status) {
    return status.success() ? "ended with exit status 0: a service has to stay in the foreground"
                            : "ended: " + cleanup::failure_of(status);
}

void Narrator::service_ready(const std::string& cmd, pid_t pid, text::Duration took) {
    m_messages.detail("service", cmd, "started, pid " + std::to_string(pid) + ", after " + duration_text(took));
    if (!m_plan.report.empty()) {
        m_report.services->push_back({.kind = "service", .text = cmd, .exit_code = {}, .duration = took, .error = {}});
    }
}

void Narrator::service_awaited(const std::string& cmd, pid_t pid, std::string_view why, text::Duration so_far) {
    m_messages.note("still waiting for the service", cmd,
                    "pid " + std::to_string(pid) + ", for " + duration_text(so_far) + ": " + std::string(why));
}

void Narrator::service_failed(const std::string& cmd, const cleanup::Outcome& outcome, const std::string& last,
                              text::Duration took) {
    m_messages.raw(last);
    m_ci_log.failure("service", cmd, outcome.error);
    if (!m_plan.report.empty()) {
        m_report.services->push_back({.kind = "service",
                                      .text = cmd,
                                      .exit_code = outcome.exit_code,
                                      .signal = outcome.signal,
                                      .attempts = outcome.attempts,
                                      .duration = took,
                                      .error = outcome.error});
    }
}

void Narrator::service_ended(const std::string& cmd, const os::WaitStatus& status, const std::string& last,
                             const Stopped& stopped) {
    m_messages.raw(last);
    const std::string how = how_service_ended(status);
    std::string what_then;
    if (stopped.sent) {
        what_then = std::string("; ")
                        .append(stopped.what)
                        .append(*stopped.sent ? " was sent " : " cannot be sent ")
                        .append(text::signal_name(m_plan.stop_signal));
    }
    m_messages.error("service", cmd, how + what_then);
    if (m_plan.report.empty()) {
        return;
    }
    const auto is_it = [&](const StepReport& step) { return step.text == cmd && step.error.empty(); };
    if (const auto at = std::ranges::find_if(*m_report.services, is_it); at != m_report.services->end()) {
        at->exit_code = status.shell_code();
        at->signal = status.signal();
        at->error = how;
    }
}

void Narrator::noticed(const supervise::Notice& notice) {
    using What = supervise::Notice::What;
    const auto sent = [&](int signal) {
        const std::string name = text::signal_name(signal);
        return notice.sent ? "sent " + name : name + " cannot be sent";
    };
    const std::string pid = "pid " + std::to_string(notice.process.pid);
    switch (notice.what) {
    case What::time_limit:
        m_messages.error("time limit", duration_text(*m_plan.timeout), sent(m_plan.stop_signal));
        break;
    case What::caller_gone:
        m_messages.error("caller has gone", {}, sent(m_plan.stop_signal));
        break;
    case What::lock_lost:     // says more: lock_lost()
    case What::service_ended: // service_ended()
        break;
    case What::grace_over:
        m_messages.error("grace period", duration_text(*m_plan.grace), "over, " + sent(SIGKILL));
        break;
    case What::killed:
        m_messages.error("outlived the grace period, sent KILL", os::command_line(notice.process), pid);
        break;
    case What::refused:
        m_messages.error("cannot be stopped, its end is waited for", os::command_line(notice.process),
                         pid + ": " + std::string(os::error_text(notice.error)));
        break;
    case What::unseen:
        m_messages.note("no /proc", {}, "whatever has left the process group of the command cannot be ended");
        break;
    case What::interrupted_again:
        m_messages.note("still running", os::command_line(notice.process), pid + again_text(m_plan));
        break;
    case What::awaited:
        m_messages.note("still waiting for the end of", os::command_line(notice.process),
                        pid + ", for " + duration_text(notice.so_far) +
                            (notice.kill_at ? ", is sent KILL in " + duration_text(*notice.kill_at - os::Clock::now())
                                            : std::string()));
        break;
    }
}

void Narrator::command_ended(text::Duration took) {
    m_report.command_duration = took;
    m_messages.detail("command ended after", duration_text(took));
}

void Narrator::step_ended(std::string_view kind, const std::string& text, const cleanup::Outcome& outcome,
                          text::Duration took, std::vector<StepReport>& list, std::string_view next_step) {
    const bool success = outcome.error.empty();
    m_ci_log.close_section(success ? "done" : "failed", took);
    if (success) {
        m_messages.detail(kind, text, "done after " + duration_text(took));
    } else {
        m_ci_log.failure(kind, text, outcome.error, next_step);
    }
    if (m_plan.report.empty()) {
        return;
    }
    list.push_back({.kind = std::string(kind),
                    .text = text,
                    .exit_code = outcome.exit_code,
                    .signal = outcome.signal,
                    .attempts = outcome.attempts,
                    .duration = took,
                    .error = outcome.error});
}

std::string Narrator::try_text(unsigned number) const {
    return "try " + std::to_string(number) + " of " + std::to_string(m_plan.cleanup_retries + 1);
}

void Narrator::begin(const cleanup::Cleanup& cleanup) {
    if (cleanup.kind == cleanup::Cleanup::Kind::service && m_service_output != nullptr) {
        return; // its section is the one with its output, which is complete when it is over
    }
    m_ci_log.open_section(plan::name_of(cleanup.kind), cleanup.text);
}

void Narrator::end(const cleanup::Cleanup& cleanup, const cleanup::Outcome& outcome, text::Duration took) {
    if (outcome.error.empty() && outcome.attempts > 1) { // its failures have been said
        m_messages.note(plan::name_of(cleanup.kind), cleanup.text, "succeeded at " + try_text(outcome.attempts));
    }
    if (cleanup.kind == cleanup::Cleanup::Kind::service && m_service_output != nullptr) {
        const std::string output = m_service_output->end(cleanup.id);
        m_ci_log.open_section(plan::name_of(cleanup.kind), cleanup.text);
        m_messages.raw(output);
    }
    const bool stays = !outcome.error.empty() && m_plan.failed_cleanups == plan::FailedCleanups::keep;
    step_ended(plan::name_of(cleanup.kind), cleanup.text, outcome, took, m_report.cleanups,
               stays ? next_step(m_report.id) : "");
}

std::string Narrator::next_step(std::string_view run_id) const {
    const std::string run(run_id);
    return call_for(m_plan.state_dir) + " --recover " + run + " tries again, --forget " + run + " drops it";
}

void Narrator::failures_stay(const journal::State& state) {
    const journal::Failure& last = state.failures.back();
    const std::size_t others = state.failures.size() - 1;
    m_messages.note("run " + state.opened.run_id + " has failed to clean up", last.cleanup.text,
                    last.how.error + (others > 0 ? " (and " + std::to_string(others) + " more)" : "") + ": " +
                        next_step(state.opened.run_id));
}

void Narrator::retrying(const cleanup::Cleanup& cleanup, const cleanup::Outcome& outcome, unsigned next_try,
                        text::Duration pause) {
    m_messages.note(plan::name_of(cleanup.kind), cleanup.text,
                    outcome.error + ", " + try_text(next_try) + " in " + duration_text(pause));
}

void Narrator::on_signal(const cleanup::Cleanup& cleanup, const os::Signal& signal, const std::string& way_out) {
    const int number = signal.number;
    if (os::default_action(number) == os::DefaultAction::ignore || std::exchange(m_signal_told, true)) {
        return;
    }
    m_messages.note("still cleaning up after " + text::signal_name(number), cleanup.text,
                    way_out.empty() ? call_for(m_plan.state_dir) + " --stop " + m_report.id + " ends it" : way_out);
}

void Narrator::moved(const cleanup::Cleanup& cleanup, std::string_view reason) {
    const bool has_path = cleanup.place && !cleanup.place->path.empty();
    m_messages.note(
        plan::name_of(cleanup.kind), cleanup.text,
        "runs in an empty directory: " + (has_path ? cleanup.place->path : "the one that it was registered in") + ": " +
            std::string(reason));
}

void Narrator::output_ends(cleanup::Output& output, std::size_t failed, cleanup::Stack& stack) {
    if (failed > 0 || stack.is_remembered()) {
        const journal::State& state = stack.read_state();
        if (output.stderr_dead()) { // whoever reads the log has seen nothing of what was said
            for (const journal::Failure& failure : state.failures) {
                output.note(text_of({.what = plan::name_of(failure.cleanup.kind),
                                     .object = failure.cleanup.text,
                                     .reason = failure.how.error + ": " + next_step(m_report.id)}));
            }
        }
        output.note(how_it_ended(ended_run(state), {}));
    }
    const auto log = stack.is_remembered() ? output.finish_in(stack.file().state_dir() / journal::ended_directory)
                                           : output.finish(failed > 0);
    if (failed > 0 && !log.empty() && !output.is_stderr()) { // nor is it what the log ends with
        m_messages.error("output of the cleanups", log.native());
    }
}

void Narrator::journal_trouble(std::string_view what, std::string_view reason) {
    if (std::ranges::find(m_troubles, what) == m_troubles.end()) {
        m_troubles.emplace_back(what);
        m_messages.error("journal", what, reason);
    }
}

void Narrator::taken_over(plan::Actor by, const journal::State& state) {
    const std::size_t cleanups = state.stack.size();
    std::string left = std::to_string(cleanups) + (cleanups == 1 ? " cleanup left" : " cleanups left");
    if (const std::size_t before = state.failures.size(); before > 0) {
        left += before < cleanups ? ", " + std::to_string(before) + " of them failed before"
                                  : std::string(cleanups == 1 ? ", it failed before" : ", all of them failed before");
    }
    if (by != plan::Actor::supervisor && by != plan::Actor::guardian) {
        m_messages.note("recovering run " + state.opened.run_id, state.opened.command, left);
    } else if (!state.handed_over) {
        m_messages.note(state.ending ? "was killed; its guardian goes on cleaning up"
                                     : "was killed; its guardian ends the command and cleans up",
                        {}, left);
    }
}

bool Narrator::is_heard() { return !os::has_lost_reader(STDERR_FILENO); }

void Narrator::noted(std::string_view what, std::string_view object, std::string_view reason) {
    m_messages.note(what, object, reason);
}

void Narrator::detailed(std::string_view what, std::string_view object, std::string_view reason) {
    m_messages.detail(what, object, reason);
}

void Narrator::report_on(const journal::State& state) {
    m_report.started = std::chrono::system_clock::from_time_t(state.opened.started);
    m_report.directory = state.opened.place.path;
    m_report.lock_wait.reset();
    m_report.setups.reset();
    m_report.services.reset();
    for (const journal::LockId& lock : state.opened.locks) {
        m_report.locks.push_back({lock.path, lock.shared});
    }
    add_engines(m_report.locks, state, true);
    if (state.report) {
        m_report.command = state.report->command;
    }
}

void Narrator::write_report(const plan::Ending& ending, plan::Actor by) {
    if (m_plan.report.empty()) {
        return;
    }
    m_report.ending = ending;
    m_report.by = by;
    if (by != plan::Actor::supervisor) {
        m_report.setups.reset(); // they were the supervisor's, and it is gone
        m_report.services.reset();
    }
    m_report.host = os::host_name();
    m_report.user = os::user_name();
    m_report.duration = std::max(std::chrono::system_clock::now() - m_report.started, text::Duration());
    try {
        write_atomically(AT_FDCWD, m_plan.report, to_json(m_report));
    } catch (const std::system_error& error) {
        m_messages.error("report", m_plan.report, os::error_text(error.code().value()));
    }
}

} // namespace finally_run::report
