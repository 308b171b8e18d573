// The runs in a state directory: what is there, and what a crash leaves.
#pragma once

#include "place.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace finally_run::bench {

// The journals of a state directory; none if it has never had one.
[[nodiscard]] std::vector<std::filesystem::path> journals_in(const std::filesystem::path& state);

// One run is killed with its guardian; the others are copies of it with ids of their own.
void leave_behind(const Place& place, const std::string& state, unsigned count);

} // namespace finally_run::bench
