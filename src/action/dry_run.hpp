// --dry-run: what a run would do, in words, and nothing of it.
#pragma once

#include "plan/plan.hpp"

#include <string>

namespace finally_run::action {

// The text for stdout: a line for each thing in the order in which they happen, then what looks like a mistake. Looks
// into PATH, and at what --remove would remove. Throws std::runtime_error if that must never be removed.
[[nodiscard]] std::string dry_run(const plan::Plan& plan);

} // namespace finally_run::action
