#include "os/fd.hpp"

#include "os/error.hpp"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace finally_run::os {

namespace {

constexpr int first_high = 64;
constexpr int first_after_stdio = 3;

} // namespace

void Fd::reset() {
    if (m_fd < 0) {
        return;
    }
    const int saved = errno;
    ::close(m_fd);
    m_fd = -1;
    errno = saved;
}

Fd moved_high(Fd fd) {
    if (fd.get() >= first_high) {
        return fd;
    }
    int moved = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, first_high);
    // EINVAL: 64 is beyond RLIMIT_NOFILE; EMFILE: all from there on are taken.
    if (moved < 0 && (errno == EINVAL || errno == EMFILE)) {
        if (fd.get() >= first_after_stdio) {
            return fd;
        }
        moved = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, first_after_stdio);
    }
    if (moved < 0) {
        throw_errno("dup");
    }
    return Fd(moved);
}

} // namespace finally_run::os
