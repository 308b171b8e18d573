// --forget: runs that were left unfinished are dropped.
#pragma once

#include "plan/exit_status.hpp"
#include "plan/request.hpp"

namespace finally_run::action {

// Drops what is left over, and says what it was.
[[nodiscard]] plan::ExitStatus forget(const plan::Forget& request);

} // namespace finally_run::action
