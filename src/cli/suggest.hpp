// Which option did a mistyped word mean?
#pragma once

#include "cli/options.hpp"

namespace finally_run::cli {

// `name` has neither dashes nor value. nullptr when nothing is near enough to be worth saying.
[[nodiscard]] const Option* nearest_option(std::string_view name);

} // namespace finally_run::cli
