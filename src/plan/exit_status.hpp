// What the caller gets: an exit status, or the signal of which the command died.
#pragma once

#include "plan/result.hpp"

namespace finally_run::plan {

inline constexpr int time_limit_status = 124;
inline constexpr int own_failure_status = 125;    // of finally-run itself, before the command
inline constexpr int failed_cleanup_status = 120; // --strict
inline constexpr int lock_lost_status = 121;      // one that machines share

struct ExitStatus {
    int code = 0;
    int signal = 0; // not 0: die of it rather than exit with the code

    // --strict: a failed cleanup spoils a success, and nothing else.
    [[nodiscard]] ExitStatus with_failed_cleanup() const {
        return code == 0 && signal == 0 ? ExitStatus{failed_cleanup_status, 0} : *this;
    }
};

// How the steps and the command went, and what comes of it.
struct RunEnd {
    Ending ending;
    ExitStatus status;
    bool begun = true; // false: nothing was started, so there is nothing to clean up
};

// Of finally-run itself, before the command.
inline constexpr Ending own_failure{Result::not_started, own_failure_status, 0};

// Told to end before it was over, so that nothing more began.
[[nodiscard]] inline RunEnd stopped_by(int signal) {
    return {{Result::stopped, 128 + signal, signal}, {128 + signal, signal}};
}

// While it waited for its locks.
[[nodiscard]] inline RunEnd interrupted_by(int signal, bool caller_gone) {
    RunEnd end = stopped_by(signal);
    end.ending.result = caller_gone ? Result::caller_gone : Result::stopped;
    return end;
}

// A service ended before it was over, and the run with it. `signal`: what has ended the command for it.
[[nodiscard]] inline RunEnd service_ended(int signal = 0) {
    return {{Result::service_ended, own_failure_status, signal}, {own_failure_status, 0}};
}

// A lock that machines share was lost before it was over. `signal`: what has ended the command for it.
[[nodiscard]] inline RunEnd lock_lost(int signal = 0) {
    return {{Result::lock_lost, lock_lost_status, signal}, {lock_lost_status, 0}};
}

} // namespace finally_run::plan
