#include "run/program.hpp"

#include "cleanup/command.hpp"
#include "os/error.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <sys/stat.h>
#include <utility>

namespace finally_run::run {

namespace {

using plan::Result;
using Kind = cleanup::Cleanup::Kind;

// 126 and 127 are about the program; that no process could be made is our own failure.
int status_of(const os::SpawnResult& result) { return result.exec_failed ? result.shell_code() : own_failure_status; }

ProgramEnd stopped_by(int signal) { return {{Result::stopped, 128 + signal, signal}, {128 + signal, signal}}; }

} // namespace

Program::Program(const plan::Plan& plan, bool shares_group, cleanup::Stack& stack, cleanup::Output& output,
                 Environment& environment, os::Events& events, Narrator& narrator)
    : m_plan(plan), m_placement(shares_group ? os::Placement::shared_group : os::Placement::own_group), m_stack(stack),
      m_output(output), m_environment(environment), m_events(events), m_narrator(narrator) {}

ProgramEnd Program::run() {
    ProgramEnd end = run_steps();
    end.begun = m_begun;
    return end;
}

ProgramEnd Program::run_steps() {
    for (const plan::Step& step : m_plan.steps) {
        if (const int signal = m_events.signals().pending_stop(); signal != 0) {
            return stopped_by(signal);
        }
        if (auto end = take(step)) {
            return *end;
        }
    }
    if (const int signal = m_events.signals().pending_stop(); signal != 0) {
        return stopped_by(signal);
    }
    return run_command();
}

std::optional<ProgramEnd> Program::take(const plan::Step& step) {
    switch (step.kind) {
    case plan::Step::Kind::cleanup:
        m_stack.push({Kind::command, step.text});
        break;
    case plan::Step::Kind::on_success:
        m_stack.push({Kind::on_success, step.text});
        break;
    case plan::Step::Kind::on_failure:
        m_stack.push({Kind::on_failure, step.text});
        break;
    case plan::Step::Kind::remove:
        m_stack.push({Kind::remove, step.text});
        break;
    case plan::Step::Kind::temp_dir:
        make_temp_dir(step.text);
        break;
    case plan::Step::Kind::setup:
        return run_setup(step.text);
    }
    return std::nullopt;
}

void Program::make_temp_dir(const std::string& variable) {
    m_begun = true;
    const char* const parent = std::getenv("TMPDIR");
    const bool usable = parent != nullptr && parent[0] != '\0';
    std::string path = std::filesystem::absolute(usable ? parent : "/tmp") / "finally-run.XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
        os::throw_errno("temporary directory", path);
    }
    ::chmod(path.c_str(), S_IRWXU); // whatever the umask took away
    m_stack.push({Kind::temp_dir, path});
    m_environment.set(variable, path);
}

std::variant<supervise::Ended, supervise::NotStarted> Program::supervise(os::SpawnRequest request, plan::Limit timeout,
                                                                         plan::Orphans orphans) {
    request.env = m_environment.block();
    request.signals = m_events.signals().inherited();
    request.placement = m_placement;
    const supervise::Limits limits{timeout, m_plan.grace, m_plan.stop_signal, orphans};
    auto result =
        supervise::supervise(request, limits, m_events, [&](supervise::Notice notice) { m_narrator.noticed(notice); });
    // Without a process, memory or descriptor to be had nothing has happened; a missing program is a step that failed.
    const auto* const not_started = std::get_if<supervise::NotStarted>(&result);
    m_begun = m_begun || not_started == nullptr || not_started->result.exec_failed;
    return result;
}

std::optional<ProgramEnd> Program::run_setup(const std::string& cmd) {
    m_narrator.setup_begins(cmd);
    const auto start = os::Clock::now();
    const cleanup::CommandLine line(cmd);
    const int out = m_output.writable();
    os::SpawnRequest request{};
    request.argv = line.argv();
    request.stdio = os::Stdio{m_output.null(), out, out};
    const auto result = supervise(request, std::nullopt, plan::Orphans::leave);

    cleanup::Outcome outcome;
    outcome.attempts = 1;
    std::optional<ProgramEnd> end;
    if (const auto* const not_started = std::get_if<supervise::NotStarted>(&result)) {
        outcome.exit_code = status_of(not_started->result);
        outcome.error = cleanup::failure_of(not_started->result);
        end = {{Result::setup_failed, *outcome.exit_code, 0}, {*outcome.exit_code, 0}};
    } else {
        const auto& ended = std::get<supervise::Ended>(result);
        outcome.exit_code = ended.status.shell_code();
        outcome.signal = ended.status.signal();
        outcome.error = cleanup::failure_of(ended.status);
        if (!outcome.error.empty()) {
            end = {ended.ending, {*outcome.exit_code, outcome.signal}};
            end->ending.result = ended.stopped ? ended.ending.result : Result::setup_failed;
        } else if (const int told = ended.stop_request; told != 0) {
            // The setup has ended well all the same; what it was to be the setup of must not begin any more.
            end = stopped_by(told);
            end->ending.result = ended.stopped ? ended.ending.result : Result::stopped;
        }
    }
    m_narrator.setup_ends(cmd, outcome, os::Clock::now() - start);
    return end;
}

ProgramEnd Program::run_command() {
    const auto start = os::Clock::now();
    os::SpawnRequest request{};
    request.argv = m_plan.command.data();
    const auto result = supervise(request, m_plan.timeout, m_plan.orphans);
    if (const auto* const not_started = std::get_if<supervise::NotStarted>(&result)) {
        const std::string_view name = m_plan.command.front();
        m_narrator.failed("cannot run", name.empty() ? "''" : name, os::error_text(not_started->result.error));
        const int status = status_of(not_started->result);
        return {{Result::not_started, status, 0}, {status, 0}};
    }
    const auto& ended = std::get<supervise::Ended>(result);
    m_narrator.command_ended(os::Clock::now() - start);
    if (ended.ending.result == Result::timeout) {
        return {ended.ending, {time_limit_status, 0}};
    }
    return {ended.ending, {ended.status.shell_code(), ended.status.signal()}};
}

} // namespace finally_run::run
