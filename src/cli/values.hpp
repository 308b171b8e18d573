// What the value of an option means to the plan.
#pragma once

#include "cli/options.hpp"
#include "plan/plan.hpp"

namespace finally_run::cli {

// Enters one option and its value into the plan. `origin` is where the value stood, for the message: "--grace", or the
// variable that held it. Throws UsageError for a value that the option cannot take.
void enter(plan::Plan& plan, const Option& option, std::string_view value, std::string_view origin);

} // namespace finally_run::cli
