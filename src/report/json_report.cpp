#include "report/json_report.hpp"

#include "plan/signal_name.hpp"

#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace finally_run::report {

namespace {

using Json = nlohmann::ordered_json;

double seconds(plan::Duration duration) {
    return std::round(std::chrono::duration<double, std::micro>(duration).count()) / 1e6;
}

Json signal_value(int signal) { return signal == 0 ? Json(nullptr) : Json(plan::signal_name(signal)); }

Json to_value(const StepReport& step) {
    return {
        {"kind", step.kind},
        {"text", step.text},
        {"exit_code", step.exit_code ? Json(*step.exit_code) : Json(nullptr)},
        {"signal", signal_value(step.signal)},
        {"attempts", step.attempts},
        {"seconds", seconds(step.duration)},
        {"error", step.error.empty() ? Json(nullptr) : Json(step.error)},
    };
}

Json to_value(const std::vector<StepReport>& steps) {
    Json result = Json::array();
    for (const auto& step : steps) {
        result.push_back(to_value(step));
    }
    return result;
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

std::string to_json(const Report& report) {
    const Json value = {
        {"version", report.version},
        {"id", report.id},
        {"command", Json(report.command)},
        {"result", plan::name_of(report.ending.result)},
        {"exit_code", report.ending.exit_code},
        {"signal", signal_value(report.ending.signal)},
        {"started", iso_8601(report.started)},
        {"seconds", seconds(report.duration)},
        {"lock_wait_seconds", seconds(report.lock_wait)},
        {"command_seconds", report.command_duration ? Json(seconds(*report.command_duration)) : Json(nullptr)},
        {"setups", to_value(report.setups)},
        {"cleanups", to_value(report.cleanups)},
    };
    return value.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

} // namespace finally_run::report
