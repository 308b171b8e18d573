// One blocking flock(2) beside us, so that the kernel's queue decides who is next and waiting costs no CPU.
#pragma once

#include "os/fd.hpp"

#include <memory>
#include <sys/types.h>
#include <thread>

namespace finally_run::lock {

class Waiter {
public:
    // `fd` stays open while this lives.
    Waiter(int fd, int operation);
    // A thread that still waits is left behind: it ends when it gets the lock, which it then drops if `fd` was closed.
    // A process is killed.
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    [[nodiscard]] int ready_fd() const; // readable when flock(2) has returned

    // Once ready: 0, or the errno of flock(2).
    [[nodiscard]] int result();

private:
    struct Shared;
    void wait_in_process(int fd, int operation);

    std::shared_ptr<Shared> m_shared;
    std::thread m_thread;
    // Where no thread can be had: the C library makes do without clone3(2) where that is ENOSYS, not where a filter
    // says EPERM. A forked process shares the open file, and so what flock(2) gets for it.
    pid_t m_process = 0;
};

} // namespace finally_run::lock
