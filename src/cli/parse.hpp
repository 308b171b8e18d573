// The command line and the environment become a plan, or what else is asked for.
#pragma once

#include "cli/usage_error.hpp"
#include "plan/plan.hpp"
#include "plan/request.hpp"

#include <span>
#include <string>
#include <variant>

namespace finally_run::cli {

struct ShowHelp {
    std::string text; // ends with a newline
};

struct ShowVersion {};

using Request =
    std::variant<plan::Plan, ShowHelp, ShowVersion, plan::Defer, plan::Status, plan::Recover, plan::Stop, plan::Forget>;

// `argv` has the program's name first and is followed by a null, as main gets it; the plan's command points into it.
// The defaults are those of environ. Throws UsageError.
[[nodiscard]] Request parse(std::span<char* const> argv);

} // namespace finally_run::cli
