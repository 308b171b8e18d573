#include "lock/lock_id.hpp"

#include <sys/file.h>
#include <sys/stat.h>

namespace finally_run::lock {

journal::LockId id_of(const LockFile& file) { return {absolute_path_of(file), file.device, file.inode, file.shared}; }

bool is_file(const journal::LockId& id, dev_t device, ino_t inode) { return id.device == device && id.inode == inode; }

bool is_lock(const journal::LockId& id, const LockFile& ours) {
    if (id.path == absolute_path_of(ours)) {
        return true;
    }
    // Another path may lead to the same file; or the file of then is gone, and ours was given its number.
    struct stat info = {};
    return is_file(id, ours.device, ours.inode) && ::stat(id.path.c_str(), &info) == 0 && info.st_dev == ours.device &&
           info.st_ino == ours.inode;
}

std::optional<LockFile> take_if_free(const journal::LockId& id) {
    LockFile file = open_lock_file({id.path, id.shared}, {});
    if (::flock(file.fd.get(), (id.shared ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0) {
        return std::nullopt;
    }
    return file;
}

} // namespace finally_run::lock
