// The JSON of --report and of --status, in the one file that compiles the JSON library.
#include "report/json_report.hpp"
#include "report/status.hpp"

#include "text/signal_name.hpp"
#include "text/visible.hpp"

#include <cmath>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace finally_run::report {

namespace {

using Json = nlohmann::ordered_json;

double seconds(text::Duration duration) {
    return std::round(std::chrono::duration<double, std::micro>(duration).count()) / 1e6;
}

Json signal_value(int signal) { return signal == 0 ? Json(nullptr) : Json(text::signal_name(signal)); }

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json to_value(const StepReport& step) {
    return {
        {"kind", step.kind},
        {"text", step.text},
        {"exit_code", step.exit_code ? Json(*step.exit_code) : Json(nullptr)},
        {"signal", signal_value(step.signal)},
        {"attempts", step.attempts},
        {"seconds", seconds(step.duration)},
        {"error", text_or_null(step.error)},
    };
}

Json to_value(const RunLock& lock) {
    Json value = {{"name", lock.name}, {"shared", lock.shared}};
    if (lock.at_engine) {
        value["token"] = text_or_null(lock.at_engine->token);
        value["since"] = iso_8601_seconds(lock.at_engine->since);
        value["state"] = name_of(lock.at_engine->state);
    }
    return value;
}

Json to_value(const RunStatus::Step& step) { return {{"kind", step.kind}, {"text", text_or_null(step.text)}}; }

Json to_value(const RunStatus::Failure& failure) {
    return {
        {"kind", failure.step.kind},
        {"text", text_or_null(failure.step.text)},
        {"exit_code", failure.exit_code ? Json(*failure.exit_code) : Json(nullptr)},
        {"signal", signal_value(failure.signal)},
        {"attempts", failure.attempts},
        {"time", iso_8601(failure.time)},
        {"by", failure.by},
        {"error", failure.error},
    };
}

Json to_value(const EndedRun::Cleanup& cleanup) {
    return {{"kind", cleanup.kind}, {"text", cleanup.text}, {"error", text_or_null(cleanup.error)}};
}

Json to_value(const LockUser& user) {
    const bool since_known = user.since != std::chrono::system_clock::time_point();
    Json value = {{"pid", user.pid},
                  {"command", text_or_null(user.command)},
                  {"run", text_or_null(user.run_id)},
                  {"shared", user.shared},
                  {"started", since_known ? Json(iso_8601(user.since)) : Json(nullptr)}};
    if (user.at_engine) {
        value["held_by"] = text_or_null(user.held_by);
    }
    return value;
}

Json to_value(const RunStatus& run);
Json to_value(const EndedRun& run);
Json to_value(const LockStatus& lock);

template <class Values> Json to_array(const Values& values) {
    Json result = Json::array();
    for (const auto& value : values) {
        result.push_back(to_value(value));
    }
    return result;
}

Json to_value(const RunStatus& run) {
    const bool time_known = run.started != std::chrono::system_clock::time_point();
    return {
        {"id", run.id},
        {"state", name_of(run.state)},
        {"pid", run.pid > 0 ? Json(run.pid) : Json(nullptr)},
        {"started", time_known ? Json(iso_8601(run.started)) : Json(nullptr)},
        {"locks", to_array(run.locks)},
        {"cleanups", to_array(run.cleanups)},
        {"step_pid", run.step_pid > 0 ? Json(run.step_pid) : Json(nullptr)},
        {"step_started", run.step_pid > 0 ? Json(iso_8601(run.step_started)) : Json(nullptr)},
        {"failed", to_array(run.failures)},
        {"current", run.current ? to_value(*run.current) : Json(nullptr)},
        {"command", text_or_null(run.command)},
        {"directory", text_or_null(run.directory)},
        {"host", text_or_null(run.host)},
        {"other_host", run.elsewhere},
        {"job_url", text_or_null(run.job_url)},
        {"log", text_or_null(run.log)},
        {"error", text_or_null(run.error)},
    };
}

Json to_value(const EndedRun& run) {
    return {
        {"id", run.id},
        {"started", iso_8601(run.started)},
        {"ended", iso_8601(run.ended)},
        {"by", plan::name_of(run.by)},
        {"result", plan::name_of(run.ending.result)},
        {"exit_code", run.ending.exit_code},
        {"signal", signal_value(run.ending.signal)},
        {"lock_lost", run.lock_lost},
        {"cleanups", to_array(run.cleanups)},
        {"command", text_or_null(run.command)},
        {"directory", text_or_null(run.directory)},
        {"host", text_or_null(run.host)},
        {"job_url", text_or_null(run.job_url)},
        {"log", text_or_null(run.log)},
    };
}

Json to_value(const LockStatus& lock) {
    return {{"name", lock.name}, {"holders", to_array(lock.holders)}, {"waiters", to_array(lock.waiters)}};
}

Json to_value(std::span<const RunStatus> runs, const Looked& looked, std::span<const EndedRun> ended,
              std::span<const LockStatus> locks) {
    return {{"state_dir", text_or_null(looked.state_dir)},
            {"user", text_or_null(looked.user)},
            {"host", text_or_null(looked.host)},
            {"runs", to_array(runs)},
            {"ended", to_array(ended)},
            {"locks", to_array(locks)}};
}

std::string dumped(const Json& value) {
    return text::with_json_escapes(value.dump(2, ' ', false, Json::error_handler_t::replace)) + '\n';
}

} // namespace

std::string iso_8601(std::chrono::system_clock::time_point time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::milliseconds>(time - day));
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                       clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

std::string iso_8601_seconds(std::chrono::system_clock::time_point time) {
    return iso_8601(time).substr(0, std::string_view("2026-01-01T00:00:00").size()) + 'Z';
}

std::string to_json(const Report& report) {
    const Json value = {
        {"version", report.version},
        {"id", report.id},
        {"host", text_or_null(report.host)},
        {"user", text_or_null(report.user)},
        {"directory", text_or_null(report.directory)},
        {"command", Json(report.command)},
        {"result", plan::name_of(report.ending.result)},
        {"by", plan::name_of(report.by)},
        {"exit_code", report.ending.exit_code},
        {"signal", signal_value(report.ending.signal)},
        {"started", iso_8601(report.started)},
        {"seconds", seconds(report.duration)},
        {"locks", to_array(report.locks)},
        {"lock_wait_seconds", report.lock_wait ? Json(seconds(*report.lock_wait)) : Json(nullptr)},
        {"command_seconds", report.command_duration ? Json(seconds(*report.command_duration)) : Json(nullptr)},
        {"setups", report.setups ? to_array(*report.setups) : Json(nullptr)},
        {"services", report.services ? to_array(*report.services) : Json(nullptr)},
        {"cleanups", to_array(report.cleanups)},
    };
    return dumped(value);
}

std::string to_json(std::span<const RunStatus> runs, const Looked& looked, std::span<const EndedRun> ended,
                    std::span<const LockStatus> locks) {
    return dumped(to_value(runs, looked, ended, locks));
}

std::string places_to_json(std::span<const Place> places) {
    Json list = Json::array();
    for (const Place& place : places) {
        list.push_back(to_value(place.runs, place.looked, place.ended, place.locks));
        list.back()["error"] = text_or_null(place.error);
    }
    return dumped({{"places", std::move(list)}});
}

} // namespace finally_run::report
