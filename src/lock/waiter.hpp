// One blocking flock(2) in a thread, so that the kernel's queue decides who is next and waiting costs no CPU.
#pragma once

#include "os/fd.hpp"

#include <memory>
#include <thread>

namespace finally_run::lock {

class Waiter {
public:
    // `fd` stays open while this lives.
    Waiter(int fd, int operation);
    // A thread that still waits is left behind: it ends when it gets the lock, which it then drops if `fd` was closed.
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    [[nodiscard]] int ready_fd() const; // readable when flock(2) has returned

    // Once ready: 0, or the errno of flock(2).
    [[nodiscard]] int result();

private:
    struct Shared;
    std::shared_ptr<Shared> m_shared;
    std::thread m_thread;
};

} // namespace finally_run::lock
