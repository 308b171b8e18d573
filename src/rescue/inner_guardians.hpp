// The guardians of the runs inside a run: they are never signalled by another run, and waited for while they clean up.
#pragma once

#include "os/process.hpp"

#include <filesystem>
#include <vector>

namespace finally_run::rescue {

// Whether this is the guardian of a run of ours. Its name is not enough: it holds the lock of a journal. Or its keeper,
// or what holds a lock for that.
[[nodiscard]] bool is_guardian(const os::ProcessInfo& process);

// Those that finish a run which was started inside the run with this journal: the supervisor that they had is gone. One
// whose supervisor lives ends with that, and there is nothing to wait for.
[[nodiscard]] std::vector<os::ProcessInfo> guardians_at_work(const std::filesystem::path& journal);

} // namespace finally_run::rescue
