// Whether to stop when whoever started us is gone.
#pragma once

#include "os/events.hpp"
#include "os/signals.hpp"
#include "plan/plan.hpp"

namespace finally_run::run {

struct CallerContext {
    bool ci;              // $CI says so
    bool ssh_no_terminal; // in an ssh session without a terminal
    bool hangup_ignored;  // nohup(1)
};

[[nodiscard]] os::Watched what_to_watch(plan::StopWithCaller wish, const CallerContext& context);

// The same, in the surroundings that the environment, the terminal and the dispositions at entry show.
[[nodiscard]] os::Watched what_to_watch(plan::StopWithCaller wish, const os::Signals& signals);

} // namespace finally_run::run
