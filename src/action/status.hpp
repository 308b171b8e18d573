// --status: the runs of this user, from their journals.
#pragma once

#include "plan/request.hpp"

#include <string>

namespace finally_run::action {

// The text for stdout. Throws std::system_error if the state directory cannot be read.
[[nodiscard]] std::string status(const plan::Status& request);

} // namespace finally_run::action
