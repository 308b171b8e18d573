// What a run writes down at its start, for whoever may have to finish it.
#pragma once

#include "journal/record.hpp"
#include "lock/lock.hpp"
#include "plan/plan.hpp"

#include <string>

namespace finally_run::run {

// `environment` ends with a null; kept of it is what every program needs (PATH, HOME, LANG and the like)
// and what matches plan.keep_env, nothing else.
[[nodiscard]] journal::Opened first_record(const plan::Plan& plan, const std::string& run_id, const lock::Held& locks,
                                           bool own_group, char* const* environment);

} // namespace finally_run::run
