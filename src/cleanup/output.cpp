#include "cleanup/output.hpp"

#include "os/error.hpp"
#include "os/write_all.hpp"

#include <chrono>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace finally_run::cleanup {

namespace {

constexpr mode_t private_file = 0600;
constexpr std::chrono::milliseconds no_patience(0); // a file takes what it is given

bool open_for_writing(int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

} // namespace

Output::Output(std::filesystem::path log, std::function<std::string()> head)
    : m_log_path(std::move(log)), m_head(std::move(head)), m_stderr_unusable(!open_for_writing(STDERR_FILENO)) {
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) {
        os::throw_errno("open", "/dev/null");
    }
    m_null = os::moved_high(os::Fd(null));
}

bool Output::stderr_dead() const {
    return m_stderr_unusable || os::has_lost_reader(STDERR_FILENO) || os::is_on_full_disk(STDERR_FILENO);
}

int Output::writable() {
    if (!stderr_dead()) {
        return STDERR_FILENO;
    }
    if (!m_log && !m_log_failed) {
        create_log();
    }
    return m_log && !os::is_on_full_disk(m_log.get()) ? m_log.get() : m_null.get();
}

void Output::create_log() {
    m_log_failed = true;
    // Not O_EXCL: whoever takes a run over goes on in its log.
    const int log = ::open(m_log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, private_file);
    if (log < 0) {
        return; // there is nobody to tell: stderr is dead
    }
    m_log = os::Fd(log);
    try {
        m_log = os::moved_high(std::move(m_log));
        m_log_failed = false;
        struct stat info = {};
        if (m_head && ::fstat(m_log.get(), &info) == 0 && info.st_size == 0) {
            const std::string head = m_head();
            m_head_size = os::write_all(m_log.get(), head, no_patience) == 0 ? static_cast<off_t>(head.size()) : 0;
        }
    } catch (const std::system_error&) {
        m_log.reset();
    }
}

std::filesystem::path Output::finish(bool keep) {
    if (!m_log) {
        return {};
    }
    struct stat info = {};
    if (keep && ::fstat(m_log.get(), &info) == 0 && info.st_size > m_head_size) {
        return m_log_path;
    }
    ::unlinkat(AT_FDCWD, m_log_path.c_str(), 0);
    return {};
}

std::filesystem::path Output::finish_in(const std::filesystem::path& directory) {
    std::filesystem::path place = directory / m_log_path.filename();
    return ::rename(m_log_path.c_str(), place.c_str()) == 0 ? place : std::filesystem::path();
}

void Output::note(std::string_view line) const {
    os::Fd left;
    if (!m_log) {
        left = os::Fd(::open(m_log_path.c_str(), O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC));
    }
    if (const os::Fd& log = m_log ? m_log : left) {
        static_cast<void>(os::write_all(log.get(), std::string(line) + '\n', no_patience));
    }
}

bool Output::is_stderr() const {
    struct stat log = {};
    struct stat here = {};
    return m_log && ::fstat(m_log.get(), &log) == 0 && ::fstat(STDERR_FILENO, &here) == 0 &&
           log.st_ino == here.st_ino && log.st_dev == here.st_dev;
}

} // namespace finally_run::cleanup
