// What may help whoever has mistyped, in few words behind the reason of an error.
#pragma once

#include <string>
#include <string_view>

namespace finally_run::report {

// Behind "No such file or directory" of a command: it is a line for a shell, or a file of this directory that is not
// in PATH. Empty: neither.
[[nodiscard]] std::string hint_on_missing(std::string_view command);

// Of a variable FINALLY_RUN_... that no option reads.
inline constexpr std::string_view of_no_option = "is set, and is no option's variable: it changes nothing";

} // namespace finally_run::report
