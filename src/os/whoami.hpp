// Under which name we are known here.
#pragma once

#include <string>

namespace finally_run::os {

// Of the effective user, from /etc/passwd; its number if it has none there. NSS has no place in a static program.
[[nodiscard]] std::string user_name();

} // namespace finally_run::os
