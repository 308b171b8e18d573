#include "os/entry.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace finally_run::os {

namespace {

constexpr std::int64_t per_second = 1'000'000'000;

} // namespace

std::optional<Entry> look_at(int directory, const char* name) {
    const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name == '\0' ? AT_EMPTY_PATH : 0);
    struct statx found = {};
    if (::statx(directory, name, flags, STATX_BASIC_STATS | STATX_BTIME, &found) == 0) {
        Entry entry{{makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino}, found.stx_mode, found.stx_uid};
        // The bit itself means nothing unless the kernel knows it.
        if ((found.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0) {
            entry.mount_root = (found.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
        }
        if ((found.stx_mask & STATX_BTIME) != 0) {
            entry.born = found.stx_btime.tv_sec * per_second + found.stx_btime.tv_nsec;
        }
        entry.changed = found.stx_ctime.tv_sec * per_second + found.stx_ctime.tv_nsec;
        return entry;
    }
    // ENOSYS: an old kernel; EPERM: a filter that does not know the call.
    struct stat old = {};
    if ((errno != ENOSYS && errno != EPERM) || ::fstatat(directory, name, &old, flags) != 0) {
        return std::nullopt;
    }
    Entry entry{{old.st_dev, old.st_ino}, old.st_mode, old.st_uid};
    entry.changed = old.st_ctim.tv_sec * per_second + old.st_ctim.tv_nsec;
    return entry;
}

MountPoint remove_or_ask(int directory, const char* name) {
    if (::unlinkat(directory, name, AT_REMOVEDIR) == 0 || errno == ENOENT) {
        return MountPoint::gone;
    }
    if (errno == EBUSY) {
        return MountPoint::yes;
    }
    return errno == ENOTEMPTY || errno == EEXIST ? MountPoint::no : MountPoint::unknown;
}

} // namespace finally_run::os
