// What a start may cost: system calls and page faults, which no load changes.
#pragma once

#include <filesystem>

namespace finally_run::crash {

// 0 if each plain run keeps to its budget; prints what each costs.
[[nodiscard]] int check_budgets(const std::filesystem::path& directory);

} // namespace finally_run::crash
