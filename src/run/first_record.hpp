// What a run writes down at its start, for whoever may have to finish it.
#pragma once

#include "journal/record.hpp"
#include "lock/lock.hpp"
#include "plan/plan.hpp"

#include <string>

namespace finally_run::run {

// `environment` ends with a null; what is kept of it: kept_environment.hpp.
[[nodiscard]] journal::Opened first_record(const plan::Plan& plan, const std::string& run_id, const lock::Held& locks,
                                           bool own_group, char* const* environment);

} // namespace finally_run::run
