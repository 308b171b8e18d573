#include "os/place.hpp"

#include "os/error.hpp"

#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace finally_run::os {

namespace {

plan::Place identify(int fd, const char* path) {
    struct statx info = {};
    if (::statx(fd, path, AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &info) < 0) {
        throw_errno("directory", path);
    }
    plan::Place place;
    place.device = makedev(info.stx_dev_major, info.stx_dev_minor);
    place.inode = info.stx_ino;
    if ((info.stx_mask & STATX_BTIME) != 0) {
        place.born = info.stx_btime.tv_sec * 1'000'000'000 + info.stx_btime.tv_nsec;
    }
    return place;
}

} // namespace

plan::Place current_place() {
    plan::Place place = identify(AT_FDCWD, ".");
    std::string path(PATH_MAX, '\0');
    // "(unreachable)/..." for a directory outside our root: getcwd(3)
    if (::getcwd(path.data(), path.size()) != nullptr && path.front() == '/') {
        path.resize(path.find('\0'));
        place.path = std::move(path);
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
    const plan::Place now = identify(fd.get(), "");
    // A file system may get another device number at the next boot; then the time of birth has to do.
    const bool same_device = now.device == place.device || (!same_boot && place.born != 0);
    if (now.inode != place.inode || now.born != place.born || !same_device) {
        fd.reset();
        errno = ESTALE;
        return fd;
    }
    if (::faccessat(fd.get(), ".", X_OK, AT_EACCESS) < 0) {
        fd.reset();
    }
    return fd;
}

} // namespace finally_run::os
