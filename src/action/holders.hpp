// Who holds a lock, as the journals tell it; /proc where they do not.
#pragma once

#include "lock/lock.hpp"

#include <filesystem>

namespace finally_run::action {

// `state_dir`: whose journals. The outer runs are those that FINALLY_RUN_JOURNAL names, and the ones around them.
[[nodiscard]] lock::Holders holders_by_journal(const std::filesystem::path& state_dir);

} // namespace finally_run::action
