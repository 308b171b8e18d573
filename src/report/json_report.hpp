// The JSON report of --report: its values and its text.
#pragma once

#include "plan/plan.hpp"
#include "plan/result.hpp"
#include "report/run_lock.hpp"
#include "text/duration.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace finally_run::report {

// A setup or a cleanup that was begun.
struct StepReport {
    std::string kind;             // "setup", "service", "cleanup", "on-success", "on-failure", "remove", "temp-dir"
    std::string text;             // CMD, PATH or VAR as given
    std::optional<int> exit_code; // of the last attempt, as a shell shows it; none if nothing was started
    int signal = 0;               // what killed the last attempt; 0: none
    unsigned attempts = 1;
    text::Duration duration{}; // all attempts and the pauses between them
    std::string error;         // why it counts as failed; empty: it succeeded
};

struct Report {
    std::string version; // of finally-run
    std::string id;
    std::string host;
    std::string user;
    std::string directory; // where it was started; empty: not known
    std::vector<std::string> command;
    plan::Ending ending;
    plan::Actor by = plan::Actor::supervisor; // who has finished it
    std::vector<RunLock> locks;
    std::chrono::system_clock::time_point started;
    text::Duration duration{};                                    // from the start to the end of the last cleanup
    std::optional<text::Duration> lock_wait = text::Duration();   // none: not known
    std::optional<text::Duration> command_duration;               // none if it was not started
    std::optional<std::vector<StepReport>> setups{std::in_place}; // none: not known
    std::optional<std::vector<StepReport>> services{
        std::in_place};               // none: not known; what they ended with by themselves
    std::vector<StepReport> cleanups; // that `by` has run, in the order in which they ran
};

// One JSON object, indented, with an end of line. Durations are seconds, rounded to microseconds. JSON has no other
// text than UTF-8: bytes that are none come out as U+FFFD, escaped like all that is no letter.
[[nodiscard]] std::string to_json(const Report& report);

// "2026-01-31T23:59:59.123Z"
[[nodiscard]] std::string iso_8601(std::chrono::system_clock::time_point time);
// The same, in whole seconds.
[[nodiscard]] std::string iso_8601_seconds(std::chrono::system_clock::time_point time);

} // namespace finally_run::report
