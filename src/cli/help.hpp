// The text of --help, made from the table of options.
#pragma once

#include <string>

namespace finally_run::cli {

[[nodiscard]] std::string help_text();

} // namespace finally_run::cli
