// Runs one program from its start until it, and what has to end with it, is over.
#pragma once

#include "os/events.hpp"
#include "os/spawn.hpp"
#include "os/wait_status.hpp"
#include "plan/plan.hpp"
#include "plan/result.hpp"

#include <functional>
#include <span>
#include <variant>

namespace finally_run::supervise {

struct Limits {
    text::Limit timeout;
    text::Limit grace;
    int stop_signal;
    plan::Orphans orphans;
    std::span<const plan::Rewrite> rewrites = {};
};

// What a person may want to be told.
enum class Notice { time_limit, caller_gone, killed };

struct Completion {
    os::WaitStatus status;
    plan::Ending ending;
    bool stopped;     // the run was told to end, and the program ended for it
    int stop_request; // the signal that told it, whatever the program made of it; 0: none
};

struct NotStarted {
    os::SpawnResult result;
};

// Passes signals on, keeps the limits, and returns when the program has ended and, if it was stopped, its descendants
// of our session too; orphans are dealt with as `limits` says. `request.placement` decides whether the terminal reaches
// it.
[[nodiscard]] std::variant<Completion, NotStarted> supervise(const os::SpawnRequest& request, const Limits& limits,
                                                             os::Events& events,
                                                             const std::function<void(Notice)>& notify);

} // namespace finally_run::supervise
