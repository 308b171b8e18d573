#include "lock/waiter.hpp"

#include "os/bystander.hpp"
#include "os/error.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <malloc.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <system_error>
#include <unistd.h>

namespace finally_run::lock {

struct Waiter::Shared {
    os::Fd ready;
    std::atomic<int> error = 0;
};

namespace {

// 0 or an errno.
int wait_here(int fd, int operation) {
    int result = ::flock(fd, operation);
    while (result < 0 && errno == EINTR) {
        result = ::flock(fd, operation);
    }
    return result < 0 ? errno : 0;
}

// Until it is said: nobody else wakes whoever waits for it.
void say(const os::Fd& ready, eventfd_t what) {
    while (::eventfd_write(ready.get(), what) < 0) {
    }
}

} // namespace

Waiter::Waiter(int fd, int operation) : m_shared(std::make_shared<Shared>()) {
    const int ready = ::eventfd(0, EFD_CLOEXEC);
    if (ready < 0) {
        os::throw_errno("eventfd");
    }
    m_shared->ready = os::moved_high(os::Fd(ready));
    const auto wait = [fd, operation, shared = m_shared] {
        shared->error = wait_here(fd, operation);
        say(shared->ready, 1);
    };
    // The thread frees one object at its end, for which the C library would map 128 MB, while we wait for that end with
    // the lock in our hands.
    ::mallopt(M_ARENA_MAX, 1);
    try {
        m_thread = std::thread(wait);
    } catch (const std::system_error&) {
        wait_in_process(fd, operation);
    }
}

// It says 1 and an errno: an eventfd cannot say 0.
void Waiter::wait_in_process(int fd, int operation) {
    const pid_t parent = ::getpid();
    m_process = os::fork_quietly();
    if (m_process < 0) {
        os::throw_errno("cannot wait for a lock");
    }
    if (m_process == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (::getppid() == parent) {
            say(m_shared->ready, 1U + static_cast<unsigned>(wait_here(fd, operation)));
        }
        ::_exit(0);
    }
}

Waiter::~Waiter() {
    if (m_process > 0) {
        ::kill(m_process, SIGKILL); // not reaped yet: it is still its own
        os::reap_quiet(m_process);
    }
    if (m_thread.joinable()) {
        m_thread.detach();
    }
}

int Waiter::ready_fd() const { return m_shared->ready.get(); }

int Waiter::result() {
    if (m_thread.joinable()) {
        m_thread.join();
    }
    eventfd_t said = 0;
    if (m_process > 0 && ::eventfd_read(m_shared->ready.get(), &said) == 0) {
        m_shared->error = static_cast<int>(said) - 1;
    }
    return m_shared->error;
}

} // namespace finally_run::lock
