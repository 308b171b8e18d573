// --stop: ends live runs.
#pragma once

#include "os/signals.hpp"
#include "plan/exit_status.hpp"
#include "plan/request.hpp"

namespace finally_run::action {

// Tells the command of each run to stop, or ends the cleanup that is at work, and waits until the run is over.
[[nodiscard]] plan::ExitStatus stop(const plan::Stop& request, os::Signals& signals);

} // namespace finally_run::action
