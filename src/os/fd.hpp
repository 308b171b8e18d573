// The one owner of a descriptor.
#pragma once

#include <utility>

namespace finally_run::os {

class [[nodiscard]] Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : m_fd(fd) {}
    Fd(Fd&& other) noexcept : m_fd(std::exchange(other.m_fd, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            reset();
            m_fd = std::exchange(other.m_fd, -1);
        }
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { reset(); }

    [[nodiscard]] int get() const { return m_fd; }
    [[nodiscard]] explicit operator bool() const { return m_fd >= 0; }
    [[nodiscard]] int release() { return std::exchange(m_fd, -1); }
    void reset(); // keeps errno

private:
    int m_fd = -1;
};

// Moves a close-on-exec descriptor to 64 or above, out of the way of the numbers that shells and make hand down
// (jobserver 3 and 4, `exec 9>lock`). Where the limit does not allow that: to 3 or above; never to stdin, stdout or
// stderr.
[[nodiscard]] Fd moved_high(Fd fd);

// Throws Error (EMFILE) unless this many more can be opened. `newest`, one of ours, tells whether the limit
// may be near: with hundreds to spare it costs one system call.
void require_descriptors(int count, int newest);

} // namespace finally_run::os
