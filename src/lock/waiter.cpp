#include "lock/waiter.hpp"

#include "os/error.hpp"

#include <atomic>
#include <cerrno>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>

namespace finally_run::lock {

struct Waiter::Shared {
    os::Fd ready;
    std::atomic<int> error = 0;
};

Waiter::Waiter(int fd, int operation) : m_shared(std::make_shared<Shared>()) {
    const int ready = ::eventfd(0, EFD_CLOEXEC);
    if (ready < 0) {
        os::throw_errno("eventfd");
    }
    m_shared->ready = os::moved_high(os::Fd(ready));
    const auto wait = [fd, operation, shared = m_shared] {
        int result = ::flock(fd, operation);
        while (result < 0 && errno == EINTR) {
            result = ::flock(fd, operation);
        }
        shared->error = result < 0 ? errno : 0;
        ::eventfd_write(shared->ready.get(), 1);
    };
    try {
        m_thread = std::thread(wait);
    } catch (const std::system_error& error) {
        os::throw_error(error.code().value(), "cannot wait for a lock");
    }
}

Waiter::~Waiter() {
    if (m_thread.joinable()) {
        m_thread.detach();
    }
}

int Waiter::ready_fd() const { return m_shared->ready.get(); }

int Waiter::result() {
    if (m_thread.joinable()) {
        m_thread.join();
    }
    return m_shared->error;
}

} // namespace finally_run::lock
