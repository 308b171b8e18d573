// What a person may want to be told while a command, or what is left of it, is ended.
#pragma once

#include "os/clock.hpp"
#include "os/process.hpp"
#include "text/duration.hpp"

#include <functional>

namespace finally_run::supervise {

struct Notice {
    enum class What {
        time_limit,        // of the command: the stop signal was sent, or not
        caller_gone,       // the same
        lock_lost,         // the same
        service_ended,     // the same
        grace_over,        // the same for SIGKILL
        killed,            // `process` outlived the grace period and was sent SIGKILL
        refused,           // `process` cannot be signalled: `error`. Its end is waited for.
        unseen,            // there is no /proc: only the step itself and its process group can be ended
        interrupted_again, // `process`, the command, goes on after the second INT from the terminal
        awaited,           // `process` has been waited for `so_far`; at `kill_at` it is sent SIGKILL
    };
    What what;
    bool sent = true;
    os::ProcessInfo process = {};
    int error = 0;
    text::Duration so_far = {};
    os::Deadline kill_at = {}; // nullopt: that does not follow
};

// From a signal that is to end something to the word that it is still there, unless it is gone by then.
inline constexpr auto first_word_after = std::chrono::seconds(3);

using Notify = std::function<void(const Notice&)>;

} // namespace finally_run::supervise
