// Defaults from the environment: FINALLY_RUN_GRACE=30s is --grace 30s, unless the command line says otherwise.
#pragma once

#include "cli/scan.hpp"

#include <string>
#include <vector>

namespace finally_run::cli {

// The options whose variable counts: it is set, means something to what the command line asks for, and that neither
// gives nor contradicts the option. An empty variable counts as unset, and so does a flag's with "no" in it. Throws
// UsageError, which names the variables, for a flag's that says neither, and for two that contradict each other.
[[nodiscard]] std::vector<const Option*> defaults_for(const Scan& command_line);

// The variables that look like defaults and are none: FINALLY_RUN_GRCE, FINALLY_RUN_LOCK. By name, in order.
[[nodiscard]] std::vector<std::string> variables_of_no_option();

} // namespace finally_run::cli
