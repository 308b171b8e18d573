// What the value of an option means to the plan.
#pragma once

#include "cli/options.hpp"
#include "plan/plan.hpp"

#include <string>
#include <string_view>

namespace finally_run::cli {

// Enters one option and its value into the plan. `origin` is where the value stood, for the message: "--grace", or the
// variable that held it. Throws UsageError for a value that the option cannot take.
void enter(plan::Plan& plan, const Option& option, std::string_view value, std::string_view origin);

// What --defer takes, and one word of --recover or --forget. They throw as above.
[[nodiscard]] std::string deferred_cmd(std::string_view given);
[[nodiscard]] std::string run_id(const Option& option, std::string_view given);

} // namespace finally_run::cli
