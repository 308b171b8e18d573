// Paths that a person pastes into a shell.
#pragma once

#include <string>
#include <string_view>

namespace finally_run::text {

// One word of sh(1) on one line that stands for this path, whatever its bytes, and that text::visible() leaves alone:
// as it is, in quotes, or written by printf(1). A path that ends with a newline gets a slash behind it, since a command
// substitution would drop the newline.
[[nodiscard]] std::string quoted_path(std::string_view path);

} // namespace finally_run::text
