// STATE_DIR/.ended: what is known of runs that did not end well under their supervisor, and what was written meanwhile.
// It stays for a while, so that somebody can ask how such a run ended. Each is a journal without what only recovery
// needs: the variables that were kept, say.
#pragma once

#include "journal/state.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace finally_run::journal {

struct EndedItem {
    std::string id;
    std::filesystem::path path;
    std::chrono::system_clock::time_point time; // when it ended
};

// For a run that is over, before its journal is removed: whether it is among them from now on. Not if it ended well
// under its supervisor, or if the disk is full.
bool remember(const State& state, const std::filesystem::path& state_dir);

// Where the log of that run is, if it has one.
[[nodiscard]] std::filesystem::path log_beside(std::filesystem::path journal);

// The last one first, as many and as young as they may be. None if they cannot be listed.
[[nodiscard]] std::vector<EndedItem> ended_items(const std::filesystem::path& state_dir);

// Removes what is too old or too many.
void forget_old(const std::filesystem::path& state_dir) noexcept;

} // namespace finally_run::journal
