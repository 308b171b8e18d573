// Defaults from the environment: FINALLY_RUN_GRACE=30s is --grace 30s, unless the command line says otherwise.
#pragma once

#include "cli/scan.hpp"
#include "plan/plan.hpp"

namespace finally_run::cli {

// Enters the defaults of all options that the command line neither gives nor contradicts and that mean something to
// what it asks for. An empty variable counts as unset. `environment` ends with a null, like environ. Throws UsageError,
// which names the variable, for a bad value.
void enter_defaults(plan::Plan& plan, const Scan& command_line, char* const* environment);

} // namespace finally_run::cli
