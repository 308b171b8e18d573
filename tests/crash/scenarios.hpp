// The campaigns.
#pragma once

#include "scenario.hpp"

#include <vector>

namespace finally_run::crash {

[[nodiscard]] std::vector<Campaign> campaigns();

} // namespace finally_run::crash
