// What stands under a name in a directory, and whether something else is mounted there.
#pragma once

#include <cstdint>
#include <optional>
#include <sys/stat.h>
#include <sys/types.h>

namespace finally_run::os {

struct FileId {
    dev_t device = 0;
    ino_t inode = 0;

    bool operator==(const FileId&) const = default;
};

struct Entry {
    FileId id;
    mode_t mode = 0;
    uid_t owner = 0;
    // nullopt: the kernel does not say (before Linux 5.8, or statx(2) is refused).
    std::optional<bool> mount_root = {};
    std::int64_t born = 0;    // nanoseconds since the epoch; 0: not known
    std::int64_t changed = 0; // its ctime

    [[nodiscard]] bool is_directory() const { return S_ISDIR(mode); }
};

// Never follows a link in the last place and mounts nothing. With an empty name: the open directory itself. nullopt
// with errno if there is nothing.
[[nodiscard]] std::optional<Entry> look_at(int directory, const char* name);

// Is something mounted on this directory? Asks in the one way that every Linux answers: rmdir(2) of a mount point is
// EBUSY, of another directory with something in it ENOTEMPTY. So it may be gone afterwards.
enum class MountPoint { no, yes, gone, unknown };
[[nodiscard]] MountPoint remove_or_ask(int directory, const char* name);

} // namespace finally_run::os
