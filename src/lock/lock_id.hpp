// The identity of a lock as a journal keeps it, and what can be told from it later.
#pragma once

#include "journal/record.hpp"
#include "lock/lock_file.hpp"

#include <optional>
#include <sys/types.h>

namespace finally_run::lock {

[[nodiscard]] journal::LockId id_of(const LockFile& file);

// The file that was locked then. Its number may have been given to another file since, unless the lock is still held.
[[nodiscard]] bool is_file(const journal::LockId& id, dev_t device, ino_t inode);

// Whether ours is the lock of that name: at its path is the file that we have open, the one of then or made anew since.
[[nodiscard]] bool is_lock(const journal::LockId& id, const LockFile& ours);

// Takes it if it is free; nullopt: it is not. Throws std::system_error if the file cannot be opened.
[[nodiscard]] std::optional<LockFile> take_if_free(const journal::LockId& id);

} // namespace finally_run::lock
