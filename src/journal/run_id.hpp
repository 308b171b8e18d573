// The id of a run.
#pragma once

#include <string>

namespace finally_run::journal {

// A new one: the start in UTC and 32 random bits, "20260131T235959-5f3a9c2e". Sorts by time.
[[nodiscard]] std::string new_run_id();

} // namespace finally_run::journal
