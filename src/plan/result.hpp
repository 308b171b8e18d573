// How a run's command ended, in the words that cleanups, reports and messages use.
#pragma once

#include <string_view>

namespace finally_run::plan {

enum class Result {
    success,
    failure,
    signal,
    timeout,
    stopped,
    caller_gone,
    setup_failed,
    not_started,
    service_ended,
    lock_lost,
    lost
};

// The value of FINALLY_RUN_RESULT and of "result" in a report: "success", ..., "caller-gone", ...
[[nodiscard]] std::string_view name_of(Result result);

// Who runs the cleanups.
enum class Actor { supervisor, guardian, keeper, recovery, next_holder };

// The value of FINALLY_RUN_BY.
[[nodiscard]] std::string_view name_of(Actor actor);

struct Ending {
    Result result = Result::not_started;
    int exit_code = 0; // the status as a shell shows it: 128+n when killed by signal n, 124 after the time limit
    int signal = 0;    // what killed the command, or else what stopped the run; 0: none

    bool operator==(const Ending&) const = default;
};

} // namespace finally_run::plan
