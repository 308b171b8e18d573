#include "journal/file.hpp"

#include "os/boot.hpp"
#include "os/error.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
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

// Its guardian is known by the folder in the name: rescue/inner_runs.cpp.
os::Fd open_in_memory(const std::string& run_id) {
    const std::string name = "/" + std::string(runs_directory) + "/" + run_id;
    os::Fd fd(::memfd_create(name.c_str(), MFD_CLOEXEC));
    return fd && ::fcntl(fd.get(), F_SETFL, O_APPEND) == 0 ? std::move(fd) : os::Fd();
}

struct flock first_byte(int type) {
    struct flock lock = {};
    lock.l_type = static_cast<short>(type);
    lock.l_whence = SEEK_SET;
    lock.l_len = 1;
    return lock;
}

// It belongs to the open file, as a lock of flock(2) does, and goes with it.
void lock_first_byte(int fd, int type) noexcept {
    struct flock lock = first_byte(type);
    ::fcntl(fd, F_OFD_SETLK, &lock);
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
    File file(runs.directory() ? open_unnamed(runs.directory().get()) : open_in_memory(opened.run_id), path);
    file.m_in_memory = !runs.directory();
    if (!file.m_fd && !file.m_in_memory) {
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
        const std::string bytes = encode_opened(opened);
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

void File::reserve(std::uint64_t room) const {
    const std::uint64_t end = m_read_up_to + room;
    rlimit limit = {};
    int error = ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && end > limit.rlim_cur ? EFBIG : 0;
    // The block that has its end already is its own. Of most journals there is never another.
    constexpr std::uint64_t block = 4096;
    if (error == 0 && end > (m_read_up_to + block - 1) / block * block &&
        ::fallocate(m_fd.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(end)) < 0 &&
        (errno == ENOSPC || errno == EDQUOT)) {
        error = errno;
    }
    if (error != 0) {
        remove();
        os::throw_error(error, "journal", m_path.native());
    }
}

void File::publish() {
    if (m_in_memory) {
        return;
    }
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
        sync_directory(state_dir());
    }
}

File File::open(const std::filesystem::path& path) {
    os::Fd fd(open_wherever_it_is(path, O_RDWR | O_APPEND));
    File file = !fd && errno == EACCES ? open_to_read(path) : believed(std::move(fd), path); // sealed
    file.m_fd = os::moved_high(std::move(file.m_fd));
    return file;
}

File File::open_to_read(const std::filesystem::path& path) {
    return believed(os::Fd(open_wherever_it_is(path, O_RDONLY)), path);
}

File File::believed(os::Fd fd, const std::filesystem::path& path) {
    const auto refuse = [&](int error, std::string_view what) {
        os::throw_error(error, what, place_of(path).native());
    };
    if (!fd && errno == ELOOP) {
        refuse(EPERM, "journal is a symbolic link");
    }
    struct stat info = {};
    if (!fd || ::fstat(fd.get(), &info) < 0) {
        refuse(errno, "journal");
    }
    if (!S_ISREG(info.st_mode)) {
        refuse(EPERM, "journal is not a regular file");
    }
    if (info.st_uid != ::geteuid()) {
        refuse(EPERM, "journal belongs to another user");
    }
    const mode_t mode = info.st_mode & ALLPERMS;
    if (mode != open_mode && mode != sealed_mode) {
        refuse(EPERM, "journal must have mode 0600");
    }
    return {std::move(fd), path};
}

void File::sync() const {
    if (m_durable && ::fdatasync(m_fd.get()) < 0) {
        os::throw_errno("sync", m_path.native());
    }
}

std::uint64_t File::append(const Record& record) {
    const std::string bytes = encode(record);
    if (const int error = write_whole(m_fd.get(), bytes.data(), bytes.size()); error != 0) {
        os::throw_error(error, "journal", m_path.native());
    }
    sync();
    return end_of_append() - bytes.size();
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

// The piece of a journal that is in memory. It grows for a record that is larger.
class File::Window {
public:
    // From `offset` on.
    Window(const File& file, std::uint64_t offset) : m_file(file), m_offset(offset) {}

    [[nodiscard]] std::string_view bytes() const { return std::string_view(m_bytes).substr(m_begin); }
    [[nodiscard]] std::uint64_t offset() const { return m_offset + m_begin; }
    void pass(std::size_t size) { m_begin += size; }

    // False: there is no more.
    bool grow() {
        // A string's bytes are written twice, and each page costs more than a call. Most journals have less than 4 KB.
        const std::size_t step = m_offset == 0 ? 4096 : 1024;
        if (m_at_end) {
            return false;
        }
        m_bytes.erase(0, m_begin);
        m_offset += std::exchange(m_begin, 0);
        const std::size_t size = m_bytes.size();
        const std::size_t wanted = std::max(step, size);
        m_bytes.resize(size + wanted);
        ssize_t got = -1;
        do {
            got = ::pread(m_file.fd(), m_bytes.data() + size, wanted, static_cast<off_t>(m_offset + size));
        } while (got < 0 && errno == EINTR);
        const int error = errno;
        m_bytes.resize(size + static_cast<std::size_t>(got > 0 ? got : 0));
        if (got < 0) {
            os::throw_error(error, "journal", m_file.path().native());
        }
        m_at_end = static_cast<std::size_t>(got) < wanted;
        return got > 0;
    }

private:
    const File& m_file;
    std::string m_bytes;
    std::uint64_t m_offset;  // of m_bytes in the file
    std::size_t m_begin = 0; // in m_bytes: what comes before is done with
    bool m_at_end = false;
};

void File::read(const Take& take, OnDamage on_damage) {
    const auto damaged = [&](std::string_view how) {
        if (on_damage == OnDamage::stop) {
            throw Damaged(std::string(how));
        }
        if (m_damage.empty()) {
            m_damage = how;
        }
    };
    // The LF of the last record is read again: if it is not there, the file has been cut, and its end is not ours.
    const bool ends_in_record = m_read_up_to > 0 && m_damage.empty();
    Window window(*this, ends_in_record ? m_read_up_to - 1 : m_read_up_to);
    const bool any = window.grow();
    if (ends_in_record ? !any || window.bytes().front() != '\n' : !any && size() < m_read_up_to) {
        damaged("it has shrunk");
        m_read_up_to = 0;
        read(take, on_damage);
        return;
    }
    window.pass(ends_in_record ? 1 : 0);
    for (;;) {
        if (window.bytes().empty()) {
            if (!window.grow()) {
                return;
            }
            continue;
        }
        // Who passes over damage has had the first record: it is nowhere, not even at the begin of a file that was cut.
        const std::uint64_t lowest = on_damage == OnDamage::pass_over ? 1 : 0;
        First first = first_of(window.bytes(), std::max(window.offset(), lowest));
        switch (first.kind) {
        case First::Kind::unfinished:
            if (!window.grow()) {
                return;
            }
            break;
        case First::Kind::torn:
            window.pass(first.size);
            break;
        case First::Kind::newer_format:
            damaged("written by a newer finally-run");
            window.pass(size_of_damage(window.bytes()));
            break;
        case First::Kind::damaged:
            damaged("damaged at byte " + std::to_string(window.offset()));
            window.pass(size_of_damage(window.bytes()));
            m_read_up_to = window.offset();
            break;
        case First::Kind::record: {
            const bool go_on = take({window.offset(), std::move(*first.record)});
            window.pass(first.size);
            m_read_up_to = window.offset();
            if (!go_on) {
                return;
            }
        }
        }
    }
}

std::vector<Entry> File::read() {
    std::vector<Entry> entries;
    const auto take = [&](Entry entry) {
        entries.push_back(std::move(entry));
        return true;
    };
    read(take, OnDamage::stop);
    return entries;
}

std::optional<Opened> File::read_opened() {
    std::optional<Opened> opened;
    const auto take = [&](Entry entry) {
        opened = std::get<Opened>(std::move(entry.record));
        return false;
    };
    read(take, OnDamage::stop);
    return opened;
}

void File::salvage(const std::function<void(Entry)>& take) {
    const auto take_all = [&](Entry entry) {
        take(std::move(entry));
        return true;
    };
    read(take_all, OnDamage::pass_over);
}

bool File::try_lock(int operation) const {
    if (::flock(m_fd.get(), operation | LOCK_NB) == 0) {
        return true;
    }
    if (errno != EWOULDBLOCK) {
        os::throw_errno("lock", m_path.native());
    }
    return false;
}

bool File::try_lock() const { return try_lock(LOCK_EX); }

bool File::try_to_share_lock() const { return try_lock(LOCK_SH); }

bool File::is_locked_by_other() const {
    if (::flock(m_fd.get(), LOCK_SH | LOCK_NB) < 0) {
        return errno == EWOULDBLOCK;
    }
    ::flock(m_fd.get(), LOCK_UN);
    return false;
}

void File::seal() const noexcept {
    struct stat info = {};
    const bool sealed = ::fchmod(m_fd.get(), sealed_mode) == 0 && ::fstat(m_fd.get(), &info) == 0 &&
                        (info.st_mode & ALLPERMS) == sealed_mode;
    if (!sealed) {
        lock_first_byte(m_fd.get(), F_RDLCK);
    }
}

void File::unseal() const noexcept {
    ::fchmod(m_fd.get(), open_mode);
    if (!m_stays_sealed) {
        lock_first_byte(m_fd.get(), F_UNLCK);
    }
}

// Shared, as several may look at it at once, and none of them may keep another from it.
void File::take_up() noexcept {
    m_stays_sealed = true;
    lock_first_byte(m_fd.get(), F_RDLCK);
}

void File::leave() noexcept {
    m_stays_sealed = false;
    lock_first_byte(m_fd.get(), F_UNLCK);
}

// The lock on the first byte goes with us, and then so does the lock of the run.
void File::put_by() noexcept {
    take_up();
    unseal();
}

bool File::is_sealed_or_removed() const noexcept {
    struct stat info = {};
    if (::fstat(m_fd.get(), &info) < 0 || info.st_nlink == 0 || (info.st_mode & ALLPERMS) == sealed_mode) {
        return true;
    }
    // flock(2) is no such lock, but on NFS, where this says so of every run: then the order of the records decides.
    struct flock lock = first_byte(F_WRLCK);
    return ::fcntl(m_fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

std::uint64_t File::size() const {
    struct stat info = {};
    if (::fstat(m_fd.get(), &info) < 0) {
        os::throw_errno("journal", m_path.native());
    }
    return static_cast<std::uint64_t>(info.st_size);
}

bool File::is_there() const {
    struct stat ours = {};
    struct stat there = {};
    const auto look = [&](const char* place) { return ::lstat(place, &there); };
    if (::fstat(m_fd.get(), &ours) < 0 || (wherever_it_is(m_path, look) < 0 && errno != ENOENT)) {
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
    if (m_in_memory) {
        return true;
    }
    const auto unlink = [](const char* place) { return ::unlinkat(AT_FDCWD, place, 0); };
    return wherever_it_is(m_unpublished.empty() ? m_path : m_unpublished, unlink) == 0 || errno == ENOENT;
}

} // namespace finally_run::journal
