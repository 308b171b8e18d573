#include "run/guardian.hpp"

#include "os/error.hpp"
#include "os/fd.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace finally_run::run {

Guardian::Guardian(std::string run_id, const os::MainArgs& main_args, os::Events& events, Means means)
    : m_run_id(std::move(run_id)), m_main_args(main_args), m_events(events), m_means(std::move(means)) {}

Guardian::~Guardian() { m_events.watch_companion(-1, {}); }

void Guardian::start(Kin kin, std::function<void(std::string_view reason)> failed) {
    m_failed = std::move(failed);
    fork(kin, m_means.memory);
}

void Guardian::fork(Kin kin, std::size_t memory) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
        os::throw_errno("cannot start the guardian");
    }
    os::Fd reading(ends[0]);
    os::Fd writing = os::moved_high(os::Fd(ends[1]));
    reading = os::moved_high(std::move(reading));
    m_process.start(kin, std::move(writing), std::move(reading),
                    {"guardian", "finally-guard", "finally-guard: of run " + m_run_id}, m_main_args,
                    {m_means.needed(), m_means.null, memory, [this](int lifeline) { live(lifeline); }});
    // A pipe without a reader reports POLLERR: the guardian has died.
    m_events.watch_companion(m_process.line(), [this] { replace(); });
}

void Guardian::live(int lifeline) const {
    char nothing = 0;
    ssize_t got = -1;
    // Blocked signals do not interrupt it, and nobody writes: it returns at the end of the supervisor.
    do {
        got = ::read(lifeline, &nothing, 1);
    } while (got < 0 && errno == EINTR);
    // Any other failure is no such end: two must never work on one run. The supervisor replaces us.
    if (got == 0) {
        m_means.take_over();
    }
}

void Guardian::replace() {
    m_events.watch_companion(-1, {});
    m_process.await_end();
    constexpr unsigned most = 1000; // something kills each of them at once
    try {
        if (++m_replaced > most) {
            os::throw_error(EAGAIN, "cannot start the guardian");
        }
        // A child: there is a command, whose orphans must stay ours. One that may lack memory is better than none.
        fork(Kin::child, 0);
    } catch (const std::system_error& error) {
        m_failed(os::error_text(error.code().value()));
    }
}

void Guardian::renew() {
    if (is_there()) {
        m_process.kill();
        replace();
    }
}

void Guardian::dismiss() {
    m_events.watch_companion(-1, {});
    m_process.kill();
    m_process.await_end();
}

} // namespace finally_run::run
