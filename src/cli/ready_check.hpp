// The value of --ready.
#pragma once

#include "plan/ready.hpp"

#include <string>
#include <string_view>
#include <variant>

namespace finally_run::cli {

// Or what is wrong with it, as the reason of a message.
[[nodiscard]] std::variant<plan::ReadyCheck, std::string> ready_check(std::string_view given);

} // namespace finally_run::cli
