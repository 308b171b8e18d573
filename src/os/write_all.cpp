#include "os/write_all.hpp"

#include "os/fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

namespace finally_run::os {

namespace {

using Clock = std::chrono::steady_clock;

// 0 once a write would not block, else an errno.
int wait_for_room(int descriptor, Clock::time_point deadline) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd entry{descriptor, POLLOUT, 0};
        const int ready = poll(&entry, 1, static_cast<int>(std::clamp<long long>(left, 0, INT_MAX)));
        if (ready > 0) {
            return (entry.revents & POLLNVAL) != 0 ? EBADF : 0;
        }
        if (ready == 0) {
            return ETIMEDOUT;
        }
        if (errno == ENOSYS || errno == EPERM) {
            return 0; // refused by a filter: the one line that says so is worth a write that may block
        }
        if (errno != EINTR) {
            return errno;
        }
    }
}

// Where a filter refuses write(2), or a disk has failed it, the other call for it may still say so.
ssize_t write_somehow(int descriptor, std::string_view bytes) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written >= 0 || errno == EINTR || errno == EAGAIN) {
        return written;
    }
    const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    return writev(descriptor, &part, 1);
}

// A terminal that nobody reads takes a byte where it polls as writable, and lets a longer write wait for ever.
// O_NONBLOCK on the descriptor would hold for all who share it, so the terminal is opened anew. Empty where that cannot
// be had: after su(1) it is another user's.
Fd anew(int terminal) {
    std::array<char, 40> path{};
    std::snprintf(path.data(), path.size(), "/proc/self/fd/%d", terminal);
    return Fd(open(path.data(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

} // namespace

int write_all(int descriptor, std::string_view bytes, std::chrono::milliseconds patience) noexcept {
    if (descriptor < 0) {
        return EBADF; // poll(2) would pass over it in silence
    }
    // A pipe that polls as writable has room for PIPE_BUF bytes, so that even a blocking write returns.
    std::size_t most = PIPE_BUF;
    Fd terminal;
    if (isatty(descriptor) == 1) {
        terminal = anew(descriptor);
        descriptor = terminal ? terminal.get() : descriptor;
        most = terminal ? most : 1;
    }
    auto deadline = Clock::now() + patience;
    while (!bytes.empty()) {
        if (const int error = wait_for_room(descriptor, deadline); error != 0) {
            return error;
        }
        const ssize_t written = write_somehow(descriptor, bytes.substr(0, most));
        if (written > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(written));
            deadline = Clock::now() + patience;
        } else if (written < 0 && errno != EINTR) {
            if (errno != EAGAIN) {
                return errno;
            }
            if (Clock::now() >= deadline) {
                return ETIMEDOUT;
            }
            poll(nullptr, 0, 1); // a terminal that polls as writable may have no room all the same
        }
    }
    return 0;
}

bool has_lost_reader(int descriptor) noexcept {
    pollfd state{descriptor, 0, 0};
    return poll(&state, 1, 0) > 0 && (state.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
}

bool is_on_full_disk(int descriptor) noexcept {
    struct stat info = {};
    if (::fstat(descriptor, &info) < 0 || !S_ISREG(info.st_mode)) {
        return false;
    }
    struct statvfs disk = {};
    const bool is_known =
        ::fstatvfs(descriptor, &disk) == 0 && disk.f_blocks > 0; // some have no size, and no room either
    return is_known && (::geteuid() == 0 ? disk.f_bfree : disk.f_bavail) == 0;
}

} // namespace finally_run::os
