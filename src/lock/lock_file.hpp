// A lock file: opened so that flock(1) and other runs can use it beside us; never written, truncated, renamed or
// removed.
#pragma once

#include "os/fd.hpp"
#include "plan/plan.hpp"

#include <filesystem>
#include <string>
#include <sys/types.h>

namespace finally_run::lock {

struct LockFile {
    std::string name; // as the user wrote it
    std::filesystem::path path;
    bool shared = false;
    os::Fd fd;
    dev_t device = 0;
    ino_t inode = 0;
};

// A name with a slash is a path (a file or directory; created with mode 0666 less umask if missing), one without is a
// file in the state directory, which is created if need be. Throws std::system_error if it cannot be opened.
[[nodiscard]] LockFile open_lock_file(const plan::LockRequest& request, const std::filesystem::path& state_dir);

// Whether the path still leads to the file that was opened.
[[nodiscard]] bool is_current(const LockFile& file);

// Where it is, whoever asks and from where.
[[nodiscard]] std::string absolute_path_of(const LockFile& file);

} // namespace finally_run::lock
