// The loss of a lock at its engine, while the run needs it.
#pragma once

#include "run/parts.hpp"

#include <optional>

namespace finally_run::run {

// Whether one has been lost by now; the first time that is said and written down. `sent`: the stop signal, to a step.
[[nodiscard]] bool has_lost_lock(const Parts& run, std::optional<bool> sent = {});

} // namespace finally_run::run
