// Whether a --ready CHECK that needs no process holds.
#pragma once

#include "plan/ready.hpp"
#include "text/duration.hpp"

#include <string>

namespace finally_run::run {

// Empty: it holds; else why not. `check` is no command. A host that does not answer has `patience`.
[[nodiscard]] std::string why_not_ready(const plan::ReadyCheck& check, text::Duration patience);

} // namespace finally_run::run
