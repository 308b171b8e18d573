#include "run/steps.hpp"

#include "cleanup/command.hpp"
#include "cleanup/fresh_directory.hpp"
#include "cleanup/walk.hpp"
#include "os/error.hpp"
#include "report/hints.hpp"
#include "rescue/inner_runs.hpp"
#include "run/lock_loss.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <span>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace finally_run::run {

namespace {

using plan::Result;
using Kind = cleanup::Cleanup::Kind;

// 126 and 127 are about the program; that no process could be made is our own failure.
int status_of(const os::SpawnResult& result) {
    return result.exec_failed ? result.shell_code() : plan::own_failure_status;
}

// Whoever has written `--setup up --cleanup down` may believe that it runs now.
void say_unregistered(std::span<const plan::Step> rest, report::Narrator& narrator) {
    std::size_t count = 0;
    const plan::Step* first = nullptr;
    for (const plan::Step& step : rest) {
        if (step.cleanup && step.cleanup != Kind::temp_dir && step.cleanup != Kind::service) {
            first = first == nullptr ? &step : first;
            ++count;
        }
    }
    if (first != nullptr) {
        const std::string others = count > 1 ? " (and " + std::to_string(count - 1) + " more)" : "";
        narrator.noted("not registered yet", first->text + others,
                       "only a cleanup to the left of a setup runs if that fails");
    }
}

} // namespace

Steps::Steps(const Parts& parts, bool shares_group, supervise::Sentinel* sentinel, report::ServiceOutput* output)
    : m_run(parts), m_placement(shares_group ? os::Placement::shared_group : os::Placement::own_group),
      m_sentinel(sentinel),
      m_services(parts, output, [this](const auto& cmd, const auto& deadline) { return run_check(cmd, deadline); }) {
    if (shares_group) {
        m_terminal.emplace();
    }
}

plan::RunEnd Steps::run() {
    plan::RunEnd end = run_steps();
    m_services.say_ended();
    end.begun = m_begun || m_services.begun();
    return end;
}

std::optional<plan::RunEnd> Steps::stopped() {
    if (const int signal = m_run.events.signals().pending_stop(m_run.plan.rewrites); signal != 0) {
        return plan::stopped_by(signal);
    }
    if (has_lost_lock(m_run)) {
        return plan::lock_lost();
    }
    if (m_services.end_run()) {
        return plan::service_ended();
    }
    return std::nullopt;
}

plan::RunEnd Steps::run_steps() {
    for (const plan::Step& step : m_run.plan.steps) {
        if (const auto end = stopped()) {
            return *end;
        }
        if (auto end = take(step)) {
            if (m_begun || m_services.begun()) { // else nothing has happened, and one line says why
                const auto done = static_cast<std::size_t>(&step - m_run.plan.steps.data()) + 1;
                say_unregistered(std::span(m_run.plan.steps).subspan(done), m_run.narrator);
            }
            return *end;
        }
    }
    if (const auto end = stopped()) {
        return *end;
    }
    return run_command();
}

std::optional<plan::RunEnd> Steps::take(const plan::Step& step) {
    if (!step.cleanup) {
        return run_setup(step.text);
    }
    switch (*step.cleanup) {
    case Kind::command:
    case Kind::on_success:
    case Kind::on_failure:
        m_run.stack.push({.kind = *step.cleanup, .text = step.text});
        break;
    case Kind::remove:
        if (step.text.find('$') != step.text.npos && ::access(step.text.c_str(), F_OK) < 0) {
            m_run.narrator.noted("remove", step.text, "$ means nothing in a PATH, and there is no such one now");
        }
        m_run.stack.push(
            {.kind = Kind::remove, .text = step.text, .resolved = cleanup::without_links(AT_FDCWD, step.text)});
        break;
    case Kind::temp_dir:
        make_temp_dir(step.text);
        break;
    case Kind::service:
        return m_services.start(step);
    }
    return std::nullopt;
}

void Steps::make_temp_dir(const std::string& variable) {
    // Registered before it exists. Nobody can have guessed the name; if it is there all the same it is not ours.
    const std::string path = cleanup::fresh_name(cleanup::temp_parent());
    const std::uint64_t removal = m_run.stack.push({.kind = Kind::temp_dir, .text = path, .variable = variable});
    m_begun = true;
    try {
        static_cast<void>(cleanup::make_private_directory(path));
    } catch (const std::system_error&) {
        m_run.stack.withdraw(removal);
        throw;
    }
    m_run.environment.set(variable, path);
}

std::variant<supervise::Completion, supervise::NotStarted>
Steps::supervise(journal::Started::What what, os::SpawnRequest request, text::Limit timeout, plan::Orphans orphans) {
    request.in_child = m_run.stack.in_child(what);
    request.env = m_run.environment.block();
    request.signals = m_run.events.signals().inherited();
    request.ignored_here = m_run.events.signals().ignored_here();
    request.placement = m_placement;
    const supervise::Limits limits{
        timeout,
        m_run.plan.grace,
        m_run.plan.stop_signal,
        orphans,
        m_run.plan.rewrites,
        {[&](const os::ProcessInfo& process) { return rescue::is_spared(process, m_run.stack.file().path()); },
         [&] { return rescue::guardians_at_work(m_run.stack.file().path()); }}};
    auto result = supervise::supervise(request, limits, m_run.events, m_sentinel, [&](const supervise::Notice& notice) {
        if (notice.what == supervise::Notice::What::lock_lost) {
            static_cast<void>(has_lost_lock(m_run, notice.sent));
        } else if (notice.what == supervise::Notice::What::service_ended) {
            m_services.say_ended({what == journal::Started::What::command ? "the command" : "the setup", notice.sent});
        } else if (what == journal::Started::What::command || notice.what != supervise::Notice::What::time_limit) {
            // (a setup has a time limit only as a CHECK, which is told by the service that is not ready)
            m_run.narrator.noticed(notice);
        }
    });
    m_run.stack.check_child();
    // Without a process, memory or descriptor to be had nothing has happened; a missing program is a step that failed.
    const auto* const not_started = std::get_if<supervise::NotStarted>(&result);
    const auto* const ended = std::get_if<supervise::Completion>(&result);
    // One that ended by itself may have changed the terminal on purpose, like stty(1).
    if (m_terminal && ended != nullptr && (ended->stopped || ended->status.signal() != 0)) {
        m_terminal->put_back();
    }
    m_begun = m_begun || not_started == nullptr || not_started->result.exec_failed;
    return result;
}

std::optional<plan::RunEnd> Steps::run_setup(const std::string& cmd) {
    m_run.narrator.setup_begins(cmd);
    const auto start = os::Clock::now();
    const cleanup::CommandLine line(cmd);
    const int out = m_run.output.writable();
    os::SpawnRequest request{};
    request.argv = line.argv();
    request.stdio = os::Stdio{m_run.output.null(), out, out};
    const auto result = supervise(journal::Started::What::setup, request, std::nullopt, plan::Orphans::leave);

    cleanup::Outcome outcome;
    outcome.attempts = 1;
    std::optional<plan::RunEnd> end;
    if (const auto* const not_started = std::get_if<supervise::NotStarted>(&result)) {
        outcome.exit_code = status_of(not_started->result);
        outcome.error = cleanup::failure_of(not_started->result);
        end = {{Result::setup_failed, *outcome.exit_code, 0}, {*outcome.exit_code, 0}};
    } else {
        const auto& ended = std::get<supervise::Completion>(result);
        outcome.exit_code = ended.status.shell_code();
        outcome.signal = ended.status.signal();
        outcome.error = cleanup::failure_of(ended.status);
        if (!outcome.error.empty()) {
            end = {ended.ending, {*outcome.exit_code, outcome.signal}};
            end->ending.result = ended.stopped ? ended.ending.result : Result::setup_failed;
        } else if (const int told = ended.stop_request; told != 0) {
            // The setup has ended well all the same; what it was to be the setup of must not begin any more.
            end = plan::stopped_by(told);
            end->ending.result = ended.stopped ? ended.ending.result : Result::stopped;
        }
        if (end && end->ending.result == Result::lock_lost) {
            end = plan::lock_lost(ended.ending.signal);
        } else if (end && end->ending.result == Result::service_ended) {
            end = plan::service_ended(ended.ending.signal);
        }
    }
    m_run.stack.record(journal::SetupEnded{});
    m_run.narrator.setup_ends(cmd, outcome, os::Clock::now() - start);
    return end;
}

// Its output would say again and again what is not there yet.
Services::Checked Steps::run_check(const std::string& cmd, const os::Deadline& deadline) {
    const cleanup::CommandLine line(cmd);
    os::SpawnRequest request{};
    request.argv = line.argv();
    request.stdio = os::Stdio{m_run.output.null(), m_run.output.null(), m_run.output.null()};
    const text::Limit left =
        deadline ? text::Limit(std::max<text::Duration>(*deadline - os::Clock::now(), std::chrono::milliseconds(1)))
                 : std::nullopt;
    const auto result = supervise(journal::Started::What::setup, request, left, plan::Orphans::leave);
    m_run.stack.record(journal::SetupEnded{});
    if (const auto* const not_started = std::get_if<supervise::NotStarted>(&result)) {
        return {cleanup::failure_of(not_started->result), not_started->result.exec_failed};
    }
    const auto& ended = std::get<supervise::Completion>(result);
    Services::Checked checked{cleanup::failure_of(ended.status)};
    switch (ended.ending.result) {
    case Result::timeout:
        checked.reason = "takes too long";
        break;
    case Result::lock_lost:
        checked.end = plan::lock_lost(ended.ending.signal);
        break;
    case Result::service_ended: // which one, whoever waits for it knows
        checked.reason = "stopped";
        break;
    default:
        if (ended.stop_request != 0) {
            checked.end = plan::stopped_by(ended.stop_request);
            checked.end->ending.result = ended.stopped ? ended.ending.result : Result::stopped;
        }
        break;
    }
    return checked;
}

plan::RunEnd Steps::run_command() {
    const auto start = os::Clock::now();
    os::SpawnRequest request{};
    request.argv = m_run.plan.command.data();
    const auto result = supervise(journal::Started::What::command, request, m_run.plan.timeout, m_run.plan.orphans);
    if (const auto* const not_started = std::get_if<supervise::NotStarted>(&result)) {
        const std::string_view name = m_run.plan.command.front();
        std::string reason(os::error_text(not_started->result.error));
        if (not_started->result.error == ENOENT) {
            reason += report::hint_on_missing(name);
        }
        m_run.narrator.failed("cannot run", name.empty() ? "''" : name, reason);
        const int status = status_of(not_started->result);
        return {{Result::not_started, status, 0}, {status, 0}};
    }
    const auto& ended = std::get<supervise::Completion>(result);
    m_run.narrator.command_ended(os::Clock::now() - start);
    if (ended.ending.result == Result::timeout) {
        plan::Ending ending = ended.ending;
        ending.exit_code = m_run.plan.preserve_status ? ended.status.shell_code() : plan::time_limit_status;
        return {ending, {ending.exit_code, 0}}; // like timeout(1), which does not die of what it has sent itself
    }
    if (ended.ending.result == Result::lock_lost) {
        return plan::lock_lost(ended.ending.signal);
    }
    if (ended.ending.result == Result::service_ended) {
        return plan::service_ended(ended.ending.signal);
    }
    return {ended.ending, {ended.status.shell_code(), ended.status.signal()}};
}

} // namespace finally_run::run
