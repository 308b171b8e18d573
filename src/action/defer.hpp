// --defer: one more cleanup for the run that we are in.
#pragma once

#include "plan/exit_status.hpp"
#include "plan/request.hpp"

namespace finally_run::action {

// Status 0: the cleanup is in the journal that FINALLY_RUN_JOURNAL names, and will run. Otherwise it will not, and why
// has been said.
[[nodiscard]] plan::ExitStatus defer(const plan::Defer& request);

} // namespace finally_run::action
