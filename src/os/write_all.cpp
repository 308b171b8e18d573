#include "os/write_all.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <poll.h>
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
        if (errno != EINTR) {
            return errno;
        }
    }
}

} // namespace

int write_all(int descriptor, std::string_view bytes, std::chrono::milliseconds patience) noexcept {
    if (descriptor < 0) {
        return EBADF; // poll(2) would pass over it in silence
    }
    auto deadline = Clock::now() + patience;
    while (!bytes.empty()) {
        // A pipe that polls as writable has room for PIPE_BUF bytes, so that even a blocking write returns.
        if (const int error = wait_for_room(descriptor, deadline); error != 0) {
            return error;
        }
        const ssize_t written = write(descriptor, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
        if (written > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(written));
            deadline = Clock::now() + patience;
        } else if (written < 0 && errno != EINTR && (errno != EAGAIN || Clock::now() >= deadline)) {
            return errno == EAGAIN ? ETIMEDOUT : errno;
        }
    }
    return 0;
}

bool has_lost_reader(int descriptor) noexcept {
    pollfd state{descriptor, 0, 0};
    return poll(&state, 1, 0) > 0 && (state.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
}

} // namespace finally_run::os
