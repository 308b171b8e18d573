#include "run/guardian.hpp"

#include "os/bystander.hpp"
#include "os/error.hpp"
#include "os/memory_reserve.hpp"
#include "os/process.hpp"
#include "os/title.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace finally_run::run {

Guardian::Guardian(std::string run_id, const os::MainArgs& main_args, os::Events& events, Settle settle,
                   TakeOver take_over)
    : m_run_id(std::move(run_id)), m_main_args(main_args), m_events(events), m_settle(std::move(settle)),
      m_take_over(std::move(take_over)) {}

Guardian::~Guardian() { m_events.watch_companion(-1, {}); }

void Guardian::start(Kin kin, std::function<void(std::string_view reason)> failed) {
    m_failed = std::move(failed);
    fork(kin);
}

void Guardian::fork(Kin kin) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
        os::throw_errno("cannot start the guardian");
    }
    os::Fd reading(ends[0]);
    os::Fd writing = os::moved_high(os::Fd(ends[1]));
    reading = os::moved_high(std::move(reading));
    pid_t pid = kin == Kin::nobodys ? os::fork_apart(reading.get()) : -1;
    if (pid < 0) {
        kin = Kin::child;
        pid = os::fork_quietly();
    }
    if (pid < 0) {
        os::throw_errno("cannot start the guardian");
    }
    if (pid == 0) {
        writing.reset();
        m_lifeline.reset();
        live(reading.get());
    }
    m_pid = pid;
    m_kin = kin;
    m_lifeline = std::move(writing);
    m_pidfd.reset();
    if (kin == Kin::nobodys) {
        m_pidfd = os::open_pidfd(pid);
        m_pidfd = m_pidfd ? os::moved_high(std::move(m_pidfd)) : os::Fd();
    }
    // A pipe without a reader reports POLLERR: the guardian has died.
    m_events.watch_companion(m_lifeline.get(), [this] { replace(); });
}

void Guardian::live(int lifeline) const {
    try {
        m_events.watch_companion(-1, {});
        os::keep_memory_back(); // whatever the journal takes, the command is ended first
        if (::setsid() < 0) {   // refused by a filter
            ::setpgid(0, 0);
        }
        std::vector<int> kept = m_settle();
        kept.push_back(lifeline);
        kept.push_back(STDERR_FILENO);
        os::close_all_but(std::move(kept));
        os::set_process_title("finally-guard", "finally-guard: of run " + m_run_id, m_main_args);
        char nothing = 0;
        ssize_t got = -1;
        // Blocked signals do not interrupt it, and nobody writes: it returns at the end of the supervisor.
        do {
            got = ::read(lifeline, &nothing, 1);
        } while (got < 0 && errno == EINTR);
        // Any other failure is no such end: two must never work on one run. The supervisor replaces us.
        if (got == 0) {
            m_take_over();
        }
    } catch (...) { // said where it happened; the journal remains
    }
    ::_exit(0);
}

// Whether it holds its end of the pipe. Then its pid is still its own.
bool Guardian::lives() const noexcept {
    pollfd look{m_lifeline.get(), 0, 0};
    return ::poll(&look, 1, 0) == 0;
}

void Guardian::wait_until_gone() const {
    if (m_kin == Kin::child) {
        os::reap_quiet(m_pid);
        return;
    }
    // Without a pidfd the end of the pipe is near enough: it is closed by the end of the process.
    pollfd gone{m_pidfd ? m_pidfd.get() : m_lifeline.get(), static_cast<short>(m_pidfd ? POLLIN : 0), 0};
    while (::poll(&gone, 1, -1) < 0 && errno == EINTR) {
    }
}

void Guardian::replace() {
    m_events.watch_companion(-1, {});
    wait_until_gone();
    m_pid = 0;
    m_lifeline.reset();
    constexpr unsigned most = 1000; // something kills each of them at once
    try {
        if (++m_replaced > most) {
            os::throw_error(EAGAIN, "cannot start the guardian");
        }
        fork(Kin::child); // there is a command, whose orphans must stay ours
    } catch (const std::system_error& error) {
        m_failed(os::error_text(error.code().value()));
    }
}

void Guardian::kill() const noexcept {
    if (m_pid <= 0) {
        return;
    }
    if (m_pidfd && ::syscall(SYS_pidfd_send_signal, m_pidfd.get(), SIGKILL, nullptr, 0) == 0) {
        return;
    }
    if (m_kin == Kin::child || lives()) { // not reaped yet
        ::kill(m_pid, SIGKILL);
    }
}

void Guardian::dismiss() {
    m_events.watch_companion(-1, {});
    if (m_pid <= 0) {
        return;
    }
    kill();
    wait_until_gone();
    m_pid = 0;
    m_pidfd.reset();
}

} // namespace finally_run::run
