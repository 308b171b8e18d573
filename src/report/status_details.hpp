// What the table of --status says of one run besides the plain cells: its locks, and the lines below its row.
#pragma once

#include "report/status.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace finally_run::report {

inline constexpr std::size_t gap = 2; // between two columns

// In a table of `columns` at least 40. What is left out or cut here is below the row.
[[nodiscard]] std::string lock_cell(const std::vector<RunLock>& locks, std::size_t columns);

// Whole lines; none if the row says it all.
[[nodiscard]] std::string lines_below(const RunStatus& run, std::chrono::system_clock::time_point now,
                                      std::size_t columns, bool with_command);

} // namespace finally_run::report
