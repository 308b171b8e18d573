#include "os/place.hpp"

#include "os/entry.hpp"
#include "os/error.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

namespace finally_run::os {

namespace {

// In the place of a time of birth that the file system does not know, below 0: another directory that has been given
// the same inode number is most likely told by it.
std::int64_t owner_and_mode(uid_t owner, mode_t mode) {
    constexpr int mode_bits = 12;
    return -1 - (static_cast<std::int64_t>(owner) << mode_bits | static_cast<std::int64_t>(mode & ALLPERMS));
}

plan::Place identify(int fd, const char* path, bool by_birth = true) {
    const auto entry = look_at(fd, path);
    if (!entry) {
        throw_errno("directory", path);
    }
    plan::Place place;
    place.device = entry->id.device;
    place.inode = entry->id.inode;
    place.born = by_birth && entry->born > 0 ? entry->born : owner_and_mode(entry->owner, entry->mode);
    return place;
}

// Whether no link leads to it that did not when its path was taken.
bool has_path(int fd, const std::string& path) {
    std::error_code error;
    return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), error) == path;
}

} // namespace

plan::Place current_place() {
    plan::Place place = identify(AT_FDCWD, ".");
    std::array<char, PATH_MAX> path; // not filled: what is not touched costs nothing
    // "(unreachable)/..." for a directory outside our root: getcwd(3)
    bool had = ::getcwd(path.data(), path.size()) != nullptr;
    if (!had && (errno == ENOSYS || errno == EPERM)) {
        const ssize_t size = ::readlink("/proc/self/cwd", path.data(), path.size() - 1);
        had = size > 0;
        path[static_cast<std::size_t>(had ? size : 0)] = '\0';
    }
    if (had && path.front() == '/') {
        place.path = path.data();
    }
    return place;
}

Fd open_place(const plan::Place& place, bool same_boot) {
    if (place.path.empty()) {
        errno = ENOENT;
        return {};
    }
    Fd fd(::open(place.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd) {
        return fd;
    }
    fd = moved_high(std::move(fd));
    const plan::Place now = identify(fd.get(), "", place.born > 0);
    const bool knows_birth = place.born > 0;
    // A file system may get another device number at the next boot; then the time of birth has to do.
    const bool same_device = now.device == place.device || (!same_boot && knows_birth);
    const bool same_path = knows_birth || (place.born < 0 && has_path(fd.get(), place.path));
    if (!same_path || now.inode != place.inode || now.born != place.born || !same_device) {
        fd.reset();
        errno = ESTALE;
        return fd;
    }
    // faccessat(3) does without faccessat2(2) where that is ENOSYS, not where a filter says EPERM. The older call asks
    // for the real user, who is another one under setuid alone: then chdir(2) will tell.
    const bool may_enter = ::faccessat(fd.get(), ".", X_OK, AT_EACCESS) == 0 ||
                           (errno == EPERM && ::syscall(SYS_faccessat, fd.get(), ".", X_OK) == 0);
    if (!may_enter) {
        fd.reset();
    }
    return fd;
}

} // namespace finally_run::os
