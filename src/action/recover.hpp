// --recover: runs that were left unfinished are finished.
#pragma once

#include "os/signals.hpp"
#include "os/title.hpp"
#include "plan/exit_status.hpp"
#include "plan/request.hpp"

namespace finally_run::action {

// Status 0: nothing of what was asked for is left. Failed cleanups, runs that are alive or damaged, and locks that
// cannot be had have been told of, and have the status that they have in a run.
[[nodiscard]] plan::ExitStatus recover(const plan::Recover& request, const os::MainArgs& main_args,
                                       os::Signals& signals);

} // namespace finally_run::action
