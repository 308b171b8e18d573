#include "run/guardian.hpp"

#include "os/bystander.hpp"
#include "os/error.hpp"
#include "os/title.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace finally_run::run {

Guardian::Guardian(std::string run_id, const os::MainArgs& main_args, os::Events& events, Settle settle,
                   TakeOver take_over)
    : m_run_id(std::move(run_id)), m_main_args(main_args), m_events(events), m_settle(std::move(settle)),
      m_take_over(std::move(take_over)) {}

Guardian::~Guardian() { m_events.watch_companion(-1, {}); }

void Guardian::start(std::function<void(std::string_view reason)> failed) {
    m_failed = std::move(failed);
    fork();
}

void Guardian::fork() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
        os::throw_errno("cannot start the guardian");
    }
    os::Fd reading(ends[0]);
    os::Fd writing = os::moved_high(os::Fd(ends[1]));
    reading = os::moved_high(std::move(reading));
    const pid_t pid = os::fork_quietly();
    if (pid < 0) {
        os::throw_errno("cannot start the guardian");
    }
    if (pid == 0) {
        writing.reset();
        m_lifeline.reset();
        live(reading.get());
    }
    m_pid = pid;
    m_lifeline = std::move(writing);
    // A pipe without a reader reports POLLERR: the guardian has died.
    m_events.watch_companion(m_lifeline.get(), [this] { replace(); });
}

void Guardian::live(int lifeline) const {
    try {
        m_events.watch_companion(-1, {});
        ::setsid();
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

void Guardian::replace() {
    m_events.watch_companion(-1, {});
    os::reap_quiet(m_pid);
    m_pid = 0;
    m_lifeline.reset();
    constexpr unsigned most = 1000; // something kills each of them at once
    try {
        if (++m_replaced > most) {
            os::throw_error(EAGAIN, "cannot start the guardian");
        }
        fork();
    } catch (const std::system_error& error) {
        m_failed(os::error_text(error.code().value()));
    }
}

void Guardian::kill() const noexcept {
    if (m_pid > 0) { // not reaped yet, so the pid is still its own
        ::kill(m_pid, SIGKILL);
    }
}

void Guardian::dismiss() {
    m_events.watch_companion(-1, {});
    if (m_pid <= 0) {
        return;
    }
    kill();
    os::reap_quiet(m_pid);
    m_pid = 0;
}

} // namespace finally_run::run
