// Runs one program from its start until it, and what has to end with it, is over.
#pragma once

#include "os/events.hpp"
#include "os/spawn.hpp"
#include "os/wait_status.hpp"
#include "plan/plan.hpp"
#include "plan/result.hpp"
#include "supervise/notice.hpp"
#include "supervise/sentinel.hpp"

#include <functional>
#include <span>
#include <variant>
#include <vector>

namespace finally_run::supervise {

// Who cleans up for other runs: their guardians, and cleanups. None is ever signalled; guardians that finish a run
// inside this one are waited for.
struct Others {
    std::function<bool(const os::ProcessInfo&)> is_spared = [](const os::ProcessInfo&) { return false; };
    std::function<std::vector<os::ProcessInfo>()> guardians_at_work = [] { return std::vector<os::ProcessInfo>(); };
};

struct Limits {
    text::Limit timeout;
    text::Limit grace;
    int stop_signal;
    plan::Orphans orphans;
    std::span<const plan::Rewrite> rewrites = {};
    Others others = {};
};

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
// of our session too, and whoever finishes a run inside this one; orphans are dealt with as `limits` says.
// `request.placement` decides whether the terminal reaches it. `sentinel`: null where nobody is expected to signal more
// than us.
[[nodiscard]] std::variant<Completion, NotStarted> supervise(const os::SpawnRequest& request, const Limits& limits,
                                                             os::Events& events, Sentinel* sentinel,
                                                             const Notify& notify);

} // namespace finally_run::supervise
