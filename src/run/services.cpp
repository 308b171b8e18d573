#include "run/services.hpp"

#include "cleanup/command.hpp"
#include "os/boot.hpp"
#include "os/process.hpp"
#include "os/reminder.hpp"
#include "os/spawn.hpp"
#include "run/lock_loss.hpp"
#include "run/ready.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

namespace finally_run::run {

namespace {

using CheckKind = plan::ReadyCheck::Kind;

constexpr text::Duration first_pause = std::chrono::milliseconds(10);
constexpr text::Duration longest_pause = std::chrono::seconds(1);
constexpr text::Duration least_patience = std::chrono::milliseconds(200);
// What answers may be somebody else, while the service is about to find that its place is taken; or what it has left in
// the background, while it is about to end.
constexpr text::Duration settling_time = std::chrono::milliseconds(100);

// Before the service was started nobody answered there: else it would not have been.
bool is_connection(const plan::ReadyCheck& check) {
    return check.kind == CheckKind::tcp || check.kind == CheckKind::unix_socket;
}

int asked_to_stop(const os::Signal& signal, std::span<const plan::Rewrite> rewrites) {
    const int as = plan::passed_on_as(rewrites, signal.number);
    if (as == signal.number) {
        return os::ends_a_wait(signal);
    }
    return os::means_stop(as) ? as : 0;
}

} // namespace

Services::Services(const Parts& run, report::ServiceOutput* output, Check check)
    : m_run(run), m_output(output), m_check(std::move(check)) {
    if (m_output != nullptr) {
        m_run.events.hear_children([this](const siginfo_t& change) { hear(change); });
    }
}

Services::~Services() {
    if (m_output != nullptr) {
        m_run.events.hear_children({});
        m_run.events.forget_service_ended();
    }
}

void Services::hear(const siginfo_t& change) {
    const auto at = std::ranges::find_if(
        m_services, [&](const Service& service) { return service.pid == change.si_pid && !service.status; });
    if (at == m_services.end() || change.si_code == CLD_STOPPED || change.si_code == CLD_CONTINUED) {
        return;
    }
    at->status = os::WaitStatus::from(change);
    const bool is_awaited = m_awaited && &m_services[*m_awaited] == &*at;
    if (is_awaited || m_run.plan.service_exit == plan::ServiceExit::stop) {
        m_run.events.raise_service_ended();
    } else {
        say_ended(*at, {});
    }
}

void Services::reap() const {
    if (m_output != nullptr) {
        os::reap_all(m_run.events.other_child());
    }
}

void Services::say_ended(Service& service, const report::Stopped& stopped) {
    if (service.status && !std::exchange(service.said, true)) {
        m_run.narrator.service_ended(service.cmd, *service.status, m_output->last_lines(service.stop), stopped);
    }
}

void Services::say_ended(const report::Stopped& stopped) {
    for (Service& service : m_services) {
        const bool is_awaited = m_awaited && &m_services[*m_awaited] == &service;
        if (!is_awaited) { // else it is not ready, and that is said
            say_ended(service, m_awaited && stopped.sent ? report::Stopped{"the check", stopped.sent} : stopped);
        }
    }
}

bool Services::end_run() {
    reap();
    const auto has_ended = [](const Service& service) { return service.status.has_value(); };
    if (m_run.plan.service_exit != plan::ServiceExit::stop || std::ranges::none_of(m_services, has_ended)) {
        return false;
    }
    say_ended();
    return true;
}

std::string Services::taken(const plan::Step& step) const {
    for (const plan::ReadyCheck& check : step.ready) {
        if (is_connection(check) && why_not_ready(check, least_patience).empty()) {
            return check.given + ": something else answers there already";
        }
    }
    return {};
}

std::optional<plan::RunEnd> Services::start(const plan::Step& step) {
    cleanup::Outcome outcome;
    const auto since = os::Clock::now();
    outcome.attempts = 1;
    outcome.error = taken(step);
    if (!outcome.error.empty()) {
        m_output->not_started();
        return failed(step, outcome, 0, os::Clock::now() - since);
    }
    const std::uint64_t stop = m_run.stack.push({.kind = cleanup::Cleanup::Kind::service, .text = step.text});
    const cleanup::CommandLine line(step.text);
    const int out = m_output->writer();
    const os::SpawnResult spawned =
        os::spawn({.argv = line.argv(),
                   .env = m_run.environment.block(),
                   .signals = m_run.events.signals().inherited(),
                   .ignored_here = m_run.events.signals().ignored_here(),
                   .placement = os::Placement::own_session,
                   .stdio = os::Stdio{m_run.output.null(), out, out},
                   .in_child = m_run.stack.in_child(journal::Started::What::service, stop)});
    m_run.stack.check_child();
    m_begun = m_begun || spawned.started() || spawned.exec_failed;
    if (!spawned.started()) {
        m_output->not_started();
        m_run.stack.withdraw(stop);
        outcome.exit_code = spawned.exec_failed ? spawned.shell_code() : plan::own_failure_status;
        outcome.error = cleanup::failure_of(spawned);
        return failed(step, outcome, 0, os::Clock::now() - since);
    }
    m_output->started(stop);
    m_services.push_back({step.text, spawned.pid, stop, since});
    if (!m_run.stack.service(stop)) { // the child could not record itself
        m_run.stack.record(
            journal::Started{journal::Started::What::service, {spawned.pid, os::boot_nanoseconds()}, stop});
    }
    m_awaited = m_services.size() - 1;
    auto end = await_ready(*m_awaited, step);
    m_awaited.reset();
    m_run.events.forget_service_ended();
    if (!end) {
        m_run.narrator.service_ready(step.text, spawned.pid, os::Clock::now() - since);
    }
    return end;
}

std::optional<plan::RunEnd> Services::pause(const os::Deadline& end) const {
    const os::Event event = m_run.events.wait(end);
    if (has_lost_lock(m_run)) {
        return plan::lock_lost();
    }
    if (std::holds_alternative<os::CallerGone>(event)) {
        return plan::interrupted_by(SIGTERM, true);
    }
    if (const auto* const signal = std::get_if<os::Signal>(&event)) {
        if (const int asked = asked_to_stop(*signal, m_run.plan.rewrites); asked != 0) {
            return plan::stopped_by(asked);
        }
    }
    return std::nullopt;
}

bool Services::has_ended(std::size_t index) const {
    reap();
    return m_services[index].status.has_value();
}

std::optional<plan::RunEnd> Services::watch(std::size_t index, const os::Deadline& end, const std::string& why,
                                            os::Reminder& reminder) {
    while (!has_ended(index) && !os::has_passed(end)) {
        if (end_run()) {
            return plan::service_ended();
        }
        if (auto stopped = pause(os::earliest({end, reminder.next()}))) {
            return stopped;
        }
        if (reminder.is_due()) {
            m_run.narrator.service_awaited(m_services[index].cmd, m_services[index].pid, why, reminder.so_far());
        }
    }
    return std::nullopt;
}

std::optional<plan::RunEnd> Services::await_ready(std::size_t index, const plan::Step& step) {
    const os::Clock::time_point since = m_services[index].since;
    const os::Deadline deadline = os::deadline_after(m_run.plan.ready_timeout);
    os::Reminder reminder(since);
    const auto not_ready = [&](const cleanup::Outcome& outcome) {
        return failed(step, outcome, m_services[index].stop, os::Clock::now() - since);
    };
    const auto ended = [&]() -> std::optional<plan::RunEnd> {
        if (!m_services[index].status) {
            return std::nullopt;
        }
        const os::WaitStatus& status = *m_services[index].status;
        m_services[index].said = true;
        return not_ready({.exit_code = status.success() ? plan::own_failure_status : status.shell_code(),
                          .signal = status.signal(),
                          .attempts = 1,
                          .error = report::how_service_ended(status)});
    };
    for (const plan::ReadyCheck& check : step.ready) {
        for (text::Duration next_pause = first_pause;; next_pause = std::min(next_pause * 2, longest_pause)) {
            Checked checked;
            if (check.kind == CheckKind::command) {
                checked = m_check(check.given, deadline);
            } else {
                checked.reason = why_not_ready(check, std::max(next_pause, least_patience));
            }
            if (checked.end) {
                return checked.end;
            }
            const bool holds = checked.reason.empty();
            const std::string why = check.given + ": " + checked.reason;
            const text::Duration pause = holds ? settling_time : checked.never ? text::Duration() : next_pause;
            const os::Deadline end = os::deadline_after(pause);
            if (auto stopped = watch(index, holds ? end : os::earliest({end, deadline}), why, reminder)) {
                return stopped;
            }
            if (auto failure = ended()) {
                return failure;
            }
            if (holds) {
                break;
            }
            if (checked.never || os::has_passed(deadline)) {
                return not_ready({.exit_code = plan::own_failure_status,
                                  .attempts = 1,
                                  .error = (checked.never ? "cannot become ready: " : "not ready in time: ") + why});
            }
        }
    }
    return std::nullopt;
}

plan::RunEnd Services::failed(const plan::Step& step, const cleanup::Outcome& outcome, std::uint64_t stop,
                              text::Duration took) {
    const std::string last = stop != 0 ? m_output->last_lines(stop) : std::string();
    m_run.narrator.service_failed(step.text, outcome, last, took);
    const int code = outcome.exit_code.value_or(plan::own_failure_status);
    return {{plan::Result::setup_failed, code, outcome.signal}, {code, outcome.signal}};
}

} // namespace finally_run::run
