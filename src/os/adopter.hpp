// Who is given our orphans, and whether it reaps them: prctl(2), PR_SET_CHILD_SUBREAPER.
#pragma once

#include <string_view>

namespace finally_run::os {

// Whether the process 1 with this /proc/1/cmdline is one of those whose work it is to reap.
[[nodiscard]] bool is_init(std::string_view cmdline);

// Whether an orphan of ours is sure to be reaped by somebody else than us. It goes to the nearest ancestor that has
// asked for orphans, and whoever asks reaps them. Process 1 has never asked: it must be known, or the nearest is a
// finally-run. False if it cannot be known.
[[nodiscard]] bool orphans_are_reaped();

} // namespace finally_run::os
