// What a run has left behind in its directory.
#pragma once

#include "verdict.hpp"

#include <filesystem>
#include <string>

namespace finally_run::crash {

// The local one or, if the run has one, that at the engine.
[[nodiscard]] bool lock_is_held(const std::filesystem::path& directory);

// Reads the log and stderr, and looks for files.
void look_around(const std::filesystem::path& directory, const Promise& promise, Seen& seen);

[[nodiscard]] std::string to_text(const Seen& seen);

} // namespace finally_run::crash
