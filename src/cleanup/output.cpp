#include "cleanup/output.hpp"

#include "os/error.hpp"
#include "os/state_dir.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace finally_run::cleanup {

namespace {

constexpr const char* log_dir = ".runs";
constexpr mode_t private_dir = 0700;
constexpr mode_t private_file = 0600;

bool open_for_writing(int fd) {
    const int flags = ::fcntl(fd, F_GETFL);
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

} // namespace

Output::Output(std::filesystem::path state_dir, std::string_view run_id)
    : m_state_dir(std::move(state_dir)), m_log_name(std::string(run_id).append(".log")),
      m_stderr_unusable(!open_for_writing(STDERR_FILENO)) {
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0) {
        os::throw_errno("open", "/dev/null");
    }
    m_null = os::moved_high(os::Fd(null));
}

bool Output::stderr_dead() const {
    if (m_stderr_unusable) {
        return true;
    }
    pollfd stderr_state{STDERR_FILENO, 0, 0}; // see os::Events for what poll says of a reader that has gone
    return ::poll(&stderr_state, 1, 0) > 0 && (stderr_state.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
}

int Output::writable() {
    if (!stderr_dead()) {
        return STDERR_FILENO;
    }
    if (!m_log && !m_log_failed) {
        create_log();
    }
    return m_log ? m_log.get() : m_null.get();
}

void Output::create_log() {
    m_log_failed = true;
    try {
        const os::Fd state = os::open_state_dir(m_state_dir);
        ::mkdirat(state.get(), log_dir, private_dir);
        const std::string name = std::string(log_dir).append("/").append(m_log_name);
        const int log =
            ::openat(state.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, private_file);
        if (log < 0) {
            return;
        }
        m_log = os::moved_high(os::Fd(log));
        m_log_failed = false;
    } catch (const std::system_error&) {
        // There is nobody to tell: stderr is dead.
    }
}

std::filesystem::path Output::finish(bool keep) {
    if (!m_log) {
        return {};
    }
    const std::filesystem::path directory = m_state_dir / log_dir;
    std::filesystem::path path = directory / m_log_name;
    struct stat info = {};
    if (keep && ::fstat(m_log.get(), &info) == 0 && info.st_size > 0) {
        return path;
    }
    ::unlink(path.c_str());
    ::rmdir(directory.c_str()); // fails while another run has a log there
    return {};
}

} // namespace finally_run::cleanup
