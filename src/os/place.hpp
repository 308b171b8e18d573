// Directories that can be found again, by another process at another time.
#pragma once

#include "os/fd.hpp"
#include "plan/cleanup.hpp"

#include <optional>

namespace finally_run::os {

// Of the directory that we are in. Its path is empty if it has none any more. Throws std::system_error.
[[nodiscard]] plan::Place current_place();

// Opens it for fchdir(2) and the calls that end in "at"; empty with errno if it is gone (ENOENT), another directory is
// in its place or may be (ESTALE), or it cannot be entered. `same_boot`: device numbers still mean the same devices.
[[nodiscard]] Fd open_place(const plan::Place& place, bool same_boot);

} // namespace finally_run::os
