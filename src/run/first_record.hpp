// What a run writes down at its start, for whoever may have to finish it.
#pragma once

#include "journal/record.hpp"
#include "lock/lock.hpp"
#include "plan/plan.hpp"

#include <cstdint>
#include <string>

namespace finally_run::run {

// All that is known before the locks are had: whoever waits for one has it ready by then. `environment` ends with a
// null; what is kept of it: kept_environment.hpp.
[[nodiscard]] journal::Opened first_record(const plan::Plan& plan, const std::string& run_id, bool own_group,
                                           char* const* environment);

// The rest of it: the locks, and since when they are had.
void begin(journal::Opened& opened, const lock::Held& locks);

// How many bytes, at most, what the plan can add to the journal takes: what is deferred, and a long text of an error,
// come on top of it.
[[nodiscard]] std::uint64_t room_for(const plan::Plan& plan, const journal::Opened& opened);

} // namespace finally_run::run
