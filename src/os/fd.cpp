#include "os/fd.hpp"

#include "os/error.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

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

void require_descriptors(int count, int newest) {
    constexpr int few = 2 * first_high;
    rlimit limit = {};
    if (newest < few && ::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= rlim_t{2} * few) {
        return;
    }
    std::vector<Fd> taken;
    for (int i = 0; i < count; ++i) {
        taken.emplace_back(::fcntl(newest, F_DUPFD_CLOEXEC, 0));
        if (!taken.back()) {
            throw_errno("descriptors for the end of the run");
        }
    }
}

} // namespace finally_run::os
