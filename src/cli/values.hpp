// What the value of an option means to the plan.
#pragma once

#include "cli/options.hpp"
#include "plan/plan.hpp"

#include <string>
#include <string_view>

namespace finally_run::cli {

struct Values {
    plan::Plan plan;
    std::string deferred; // the CMD of --defer
};

// Enters one option and its value. `origin` is where the value stood, for the message: "--grace", or the variable that
// held it. Throws UsageError for a value that the option cannot take.
void enter(Values& values, const Option& option, std::string_view value, std::string_view origin);

// One word of --recover, --stop or --forget. Throws as above.
[[nodiscard]] std::string run_id(const Option& option, std::string_view given);

} // namespace finally_run::cli
