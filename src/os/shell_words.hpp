// Does a CMD need a shell?
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::os {

// The words of a CMD that `/bin/sh -c` would only pass on to a program: plain words, no metacharacter, no assignment,
// no builtin or reserved word of dash, bash or busybox in front. nullopt when in doubt: then the shell decides.
[[nodiscard]] std::optional<std::vector<std::string>> plain_words(std::string_view cmd);

} // namespace finally_run::os
