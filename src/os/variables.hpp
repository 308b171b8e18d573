// Variables looked up, wherever an environment is: environ(7).
#pragma once

#include <string_view>

namespace finally_run::os {

// Of this process; empty if it is not set. A FINALLY_RUN_ variable counts as not set where whoever started us has fewer
// rights than we have: secure_getenv(3).
[[nodiscard]] std::string_view variable(const char* name);

// Of a block as execve(2) takes it, which ends with a null; nullptr if it is not set.
[[nodiscard]] const char* variable_in(const char* const* block, std::string_view name);

// Of a text as /proc/PID/environ has it ("A=1\0B=2\0"); empty if it is not set.
[[nodiscard]] std::string_view variable_in(std::string_view text, std::string_view name);

} // namespace finally_run::os
