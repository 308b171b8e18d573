#include "lock/lock_file.hpp"

#include "os/error.hpp"
#include "os/state_dir.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <utility>

namespace finally_run::lock {

namespace {

// O_NONBLOCK: a FIFO must not wait for its other end.
constexpr int base_flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
constexpr mode_t new_file_mode = 0666;

// `flock ./script ./script`: a file that is open for writing cannot be executed (ETXTBSY).
bool is_program(int directory, const char* path) {
    constexpr mode_t executable = S_IXUSR | S_IXGRP | S_IXOTH;
    struct stat info = {};
    return ::fstatat(directory, path, &info, 0) == 0 && S_ISREG(info.st_mode) && (info.st_mode & executable) != 0;
}

// An existing file is opened without O_CREAT, which fs.protected_regular refuses in sticky directories (proc(5)), and
// for writing where that is allowed: NFS takes an exclusive lock only on a file that is open for writing (flock(2)).
int open_or_create(int directory, const char* path) {
    constexpr int attempts = 100; // somebody may create or remove it between two of our calls
    for (int attempt = 0; attempt < attempts; ++attempt) {
        int fd = ::openat(directory, path, (is_program(directory, path) ? O_RDONLY : O_RDWR) | base_flags);
        if (fd < 0 && errno != ENOENT) {
            fd = ::openat(directory, path, O_RDONLY | base_flags);
        }
        if (fd < 0 && errno == ENOENT) {
            fd = ::openat(directory, path, O_RDWR | O_CREAT | base_flags, new_file_mode);
        }
        if (fd >= 0 || (errno != ENOENT && errno != EEXIST)) {
            return fd;
        }
    }
    return -1;
}

} // namespace

LockFile open_lock_file(const plan::LockRequest& request, const std::filesystem::path& state_dir) {
    LockFile file;
    file.name = request.name;
    file.shared = request.shared;
    os::Fd directory;
    if (!request.is_path()) {
        directory = os::open_state_dir(state_dir);
        file.path = state_dir / request.file_name();
    } else {
        file.path = request.name;
    }
    const int fd = directory ? open_or_create(directory.get(), request.file_name().c_str())
                             : open_or_create(AT_FDCWD, file.path.c_str());
    if (fd < 0) {
        const int error = errno;
        // Of "./x" or "/x" its author knows.
        const bool by_accident = !directory && error == ENOENT && request.name.find_first_of("./") != 0;
        os::throw_error(error, "open", file.path.native(), by_accident ? "a slash makes a lock's name a path" : "");
    }
    file.fd = os::moved_high(os::Fd(fd));
    struct stat info = {};
    if (::fstat(file.fd.get(), &info) < 0) {
        os::throw_errno("stat", file.path.native());
    }
    file.device = info.st_dev;
    file.inode = info.st_ino;
    return file;
}

bool is_current(const LockFile& file) {
    struct stat info = {};
    return ::stat(file.path.c_str(), &info) == 0 && info.st_dev == file.device && info.st_ino == file.inode;
}

std::string absolute_path_of(const LockFile& file) {
    std::error_code ignored; // of a directory that has been deleted
    const auto path = std::filesystem::absolute(file.path, ignored);
    return (ignored ? file.path : path).lexically_normal().native();
}

} // namespace finally_run::lock
