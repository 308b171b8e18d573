// Where the trials of a row strike.
#pragma once

#include "trial.hpp"

#include <vector>

namespace finally_run::crash {

// `explored` is a trial of this row that was left alone.
[[nodiscard]] std::vector<Shot> shots_of(const Row& row, const Outcome& explored);

} // namespace finally_run::crash
