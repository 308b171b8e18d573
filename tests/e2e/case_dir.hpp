// What the harness keeps for each case: its directory, its environment and its deadline.
#pragma once

#include <map>
#include <string>

namespace finally_run::e2e {

[[nodiscard]] std::map<std::string, std::string> clean_environment();

// Until the case's deadline, at least 0: for poll(2).
[[nodiscard]] int remaining_ms();

} // namespace finally_run::e2e
