// The guardians and the cleanups of the runs inside a run: no other run signals them, and it waits for a guardian that
// cleans up.
#pragma once

#include "os/process.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::rescue {

// Why a cleanup does not wait for the run around it.
inline constexpr std::string_view for_itself = "this cleanup is inside of it and would wait for itself";

// The journal of the run around the one with this journal; empty: there is none, or it cannot be seen.
[[nodiscard]] std::string outer_of(const std::filesystem::path& journal);

// Whether `outer`, or the run around that, and so on, is the run with this journal.
[[nodiscard]] bool is_inside(std::string outer, const std::filesystem::path& journal);

// Whether a cleanup has started us: whoever runs that waits for our end.
[[nodiscard]] bool are_in_cleanup();

// Whether we were started inside the run with this journal, at any depth.
[[nodiscard]] bool is_around_us(const std::filesystem::path& journal);

// Whether this is the guardian of a run of ours. Its name is not enough: it holds the lock of a journal. Or its keeper,
// or what holds a lock for that.
[[nodiscard]] bool is_guardian(const os::ProcessInfo& process);

// Whether a step of the run with this journal leaves it alone: a guardian, or a cleanup of a run inside it that is not
// over, or what that is about to start. What such a cleanup leaves behind is a process like any other. Not to be asked
// about what a cleanup of the run itself has made: all of that looks like a cleanup.
[[nodiscard]] bool is_spared(const os::ProcessInfo& process, const std::filesystem::path& journal);

// Those that finish a run which was started inside the run with this journal: the supervisor that they had is gone. One
// whose supervisor lives ends with that, and there is nothing to wait for.
[[nodiscard]] std::vector<os::ProcessInfo> guardians_at_work(const std::filesystem::path& journal);

} // namespace finally_run::rescue
