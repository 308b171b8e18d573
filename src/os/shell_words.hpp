// Does a CMD need a shell, and what does it take from the environment?
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::os {

// The words of a CMD that `/bin/sh -c` would only pass on to a program: plain words, no metacharacter, no assignment,
// no builtin or reserved word of dash, bash or busybox in front. nullopt when in doubt: then the shell decides.
[[nodiscard]] std::optional<std::vector<std::string>> plain_words(std::string_view cmd);

// Whether CMD has $VARIABLE, or ${VARIABLE} in a form that becomes nothing if there is no such variable. False when in
// doubt: where it names the variable in another way too (sets it, reads it, passes it on), or reads a script into
// itself.
[[nodiscard]] bool relies_on(std::string_view cmd, std::string_view variable);

} // namespace finally_run::os
