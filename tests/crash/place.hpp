// Where trials are made.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>

namespace finally_run::crash {

// Forks a process that does `work` and ends with status 0, or says what it has thrown and ends with another one. It
// dies with whoever has made it.
pid_t fork_to(const std::function<void()>& work);

// The same as pid 1 of a pid namespace, and with a file system in memory at `directory`; nobody else sees either. So a
// walk over /proc meets only what `work` has started. When it ends so does all that.
pid_t fork_apart_to(const std::filesystem::path& directory, const std::function<void()>& work);

// Whether that can be had: a container may forbid it.
[[nodiscard]] bool can_be_apart(const std::filesystem::path& directory);

} // namespace finally_run::crash
