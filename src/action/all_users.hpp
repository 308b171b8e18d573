// --status --all-users: the runs of every user of this machine, for root.
#pragma once

#include "plan/request.hpp"

#include <string>

namespace finally_run::action {

// The text for stdout. Looks, and changes nothing. One whose directory cannot be read is said, and the others follow.
[[nodiscard]] std::string status_of_all_users(const plan::Status& request);

} // namespace finally_run::action
