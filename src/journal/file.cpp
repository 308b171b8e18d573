#include "journal/file.hpp"

#include "os/boot.hpp"
#include "os/error.hpp"

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace finally_run::journal {

namespace {

constexpr mode_t open_mode = 0600;
constexpr mode_t sealed_mode = 0400;

// 0 or an errno. A write to a file is not interrupted by the signals that we block; a kernel that says so all the same
// has written nothing.
int write_whole(int fd, const char* bytes, std::size_t size) noexcept {
    ssize_t written = -1;
    do {
        written = ::write(fd, bytes, size);
    } while (written < 0 && errno == EINTR);
    if (written < 0) {
        return errno;
    }
    return static_cast<std::size_t>(written) == size ? 0 : ENOSPC; // the part that was written is a torn record
}

os::Fd open_unnamed(int directory) {
    // EOPNOTSUPP, EISDIR: the file system or the kernel has no unnamed files (open(2)).
    return os::Fd(::openat(directory, ".", O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, open_mode));
}

void sync_directory(const std::filesystem::path& path) {
    const os::Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory || ::fsync(directory.get()) < 0) {
        os::throw_errno("sync", path.native());
    }
}

} // namespace

File File::create(const Runs& runs, const Opened& opened, bool durable) {
    const std::filesystem::path path = runs.journal_of(opened.run_id);
    File file(open_unnamed(runs.directory().get()), path);
    if (!file.m_fd) {
        // With a name then, but one that nobody looks for.
        file.m_unpublished = path.parent_path() / std::string(".").append(path.filename().native());
        file.m_fd = os::Fd(::open(file.m_unpublished.c_str(),
                                  O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, open_mode));
    }
    if (!file.m_fd) {
        os::throw_errno("journal", path.native());
    }
    file.m_durable = durable;
    try {
        file.m_fd = os::moved_high(std::move(file.m_fd));
        ::fchmod(file.fd(), open_mode); // whatever the umask took away
        if (::flock(file.fd(), LOCK_EX | LOCK_NB) < 0) {
            os::throw_errno("lock", path.native());
        }
        const std::string bytes = encode(opened);
        if (const int error = write_whole(file.fd(), bytes.data(), bytes.size()); error != 0) {
            os::throw_error(error, "journal", path.native());
        }
        file.m_read_up_to = bytes.size();
        file.sync();
    } catch (...) {
        file.remove();
        throw;
    }
    return file;
}

void File::publish() {
    if (!m_unpublished.empty()) {
        if (::rename(m_unpublished.c_str(), m_path.c_str()) < 0) {
            os::throw_errno("journal", m_path.native());
        }
        m_unpublished.clear();
    } else {
        const std::string self = "/proc/self/fd/" + std::to_string(m_fd.get());
        if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, m_path.c_str(), AT_SYMLINK_FOLLOW) < 0 &&
            ::linkat(m_fd.get(), "", AT_FDCWD, m_path.c_str(), AT_EMPTY_PATH) < 0) {
            os::throw_errno("journal", m_path.native());
        }
    }
    if (m_durable) {
        // The directory may be as new as the file.
        sync_directory(m_path.parent_path());
        sync_directory(m_path.parent_path().parent_path());
    }
}

File File::open(const std::filesystem::path& path) {
    constexpr int flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    os::Fd fd(::open(path.c_str(), flags));
    if (!fd && errno == EACCES) {
        fd = os::Fd(::open(path.c_str(), (flags & ~O_ACCMODE) | O_RDONLY)); // sealed
    }
    if (!fd) {
        if (errno == ELOOP) {
            os::throw_error(EPERM, "journal is a symbolic link", path.native());
        }
        os::throw_errno("journal", path.native());
    }
    struct stat info = {};
    if (::fstat(fd.get(), &info) < 0) {
        os::throw_errno("journal", path.native());
    }
    if (!S_ISREG(info.st_mode)) {
        os::throw_error(EPERM, "journal is not a regular file", path.native());
    }
    if (info.st_uid != ::geteuid()) {
        os::throw_error(EPERM, "journal belongs to another user", path.native());
    }
    const mode_t mode = info.st_mode & ALLPERMS;
    if (mode != open_mode && mode != sealed_mode) {
        os::throw_error(EPERM, "journal must have mode 0600", path.native());
    }
    return {os::moved_high(std::move(fd)), path};
}

void File::sync() const {
    if (m_durable && ::fdatasync(m_fd.get()) < 0) {
        os::throw_errno("sync", m_path.native());
    }
}

void File::append(const Record& record) {
    const std::string bytes = encode(record);
    if (const int error = write_whole(m_fd.get(), bytes.data(), bytes.size()); error != 0) {
        os::throw_error(error, "journal", m_path.native());
    }
    sync();
}

std::uint64_t File::end_of_append() const noexcept {
    return static_cast<std::uint64_t>(::lseek(m_fd.get(), 0, SEEK_CUR)); // O_APPEND moves it there: write(2)
}

int File::append_started(Started::What what, std::uint64_t cleanup) const noexcept {
    const StartedLine line({what, {::getpid(), os::boot_nanoseconds()}, cleanup});
    const int error = write_whole(m_fd.get(), line.bytes().data(), line.bytes().size());
    if (error == 0 && m_durable && ::fdatasync(m_fd.get()) < 0) {
        return errno;
    }
    return error;
}

std::vector<Entry> File::read() {
    std::string bytes;
    constexpr std::size_t step = 1024; // a string's bytes are written twice, and each page costs more than a call
    for (;;) {
        const std::size_t size = bytes.size();
        bytes.resize(size + step);
        const ssize_t got = ::pread(m_fd.get(), bytes.data() + size, step, static_cast<off_t>(m_read_up_to + size));
        const int error = errno;
        bytes.resize(size + static_cast<std::size_t>(got > 0 ? got : 0));
        if (got < 0 && error != EINTR) {
            os::throw_error(error, "journal", m_path.native());
        }
        if (got >= 0 && static_cast<std::size_t>(got) < step) {
            break;
        }
    }
    Decoded decoded = decode(bytes, m_read_up_to);
    if (decoded.health == Health::newer_format) {
        throw Damaged("written by a newer finally-run");
    }
    if (decoded.health == Health::damaged) {
        throw Damaged("damaged at byte " + std::to_string(decoded.bad_offset));
    }
    m_read_up_to = decoded.consumed;
    return std::move(decoded.entries);
}

bool File::try_lock() const {
    if (::flock(m_fd.get(), LOCK_EX | LOCK_NB) == 0) {
        return true;
    }
    if (errno != EWOULDBLOCK) {
        os::throw_errno("lock", m_path.native());
    }
    return false;
}

bool File::is_locked_by_other() const {
    if (::flock(m_fd.get(), LOCK_SH | LOCK_NB) < 0) {
        return errno == EWOULDBLOCK;
    }
    ::flock(m_fd.get(), LOCK_UN);
    return false;
}

void File::seal() const noexcept { ::fchmod(m_fd.get(), sealed_mode); }

void File::unseal() const noexcept { ::fchmod(m_fd.get(), open_mode); }

bool File::is_sealed_or_removed() const noexcept {
    struct stat info = {};
    return ::fstat(m_fd.get(), &info) < 0 || info.st_nlink == 0 || (info.st_mode & ALLPERMS) == sealed_mode;
}

bool File::is_there() const {
    struct stat ours = {};
    struct stat there = {};
    if (::fstat(m_fd.get(), &ours) < 0 || (::lstat(m_path.c_str(), &there) < 0 && errno != ENOENT)) {
        os::throw_errno("journal", m_path.native());
    }
    return ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

void File::drop_tail() const noexcept {
    if (::ftruncate(m_fd.get(), static_cast<off_t>(m_read_up_to)) < 0) {
        return; // then a later recovery of this run may find damage
    }
}

bool File::remove() const noexcept {
    const std::filesystem::path& name = m_unpublished.empty() ? m_path : m_unpublished;
    return ::unlink(name.c_str()) == 0 || errno == ENOENT;
}

} // namespace finally_run::journal
