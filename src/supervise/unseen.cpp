#include "supervise/unseen.hpp"

#include "os/process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <poll.h>

namespace finally_run::supervise {

namespace {

// Who is there may be a zombie that nobody reaps.
constexpr auto longest_after_kill = std::chrono::seconds(1);
constexpr auto pause = std::chrono::milliseconds(20);

bool is_there(pid_t target, const os::Fd& pidfd) {
    pollfd ended{pidfd.get(), POLLIN, 0};
    if (target > 0 && pidfd && ::poll(&ended, 1, 0) > 0) {
        return false;
    }
    return ::kill(target, 0) == 0 || errno == EPERM;
}

} // namespace

void wait_unseen(pid_t target, const os::Deadline& deadline, os::Events& events) {
    const os::Fd pidfd = os::open_pidfd(std::abs(target));
    os::Deadline end = deadline;
    bool killed = false;
    while (is_there(target, pidfd)) {
        if (os::has_passed(end) && killed) {
            return;
        }
        if (os::has_passed(end)) {
            killed = ::kill(target, SIGKILL) == 0;
            end = killed ? os::deadline_after(longest_after_kill) : std::nullopt;
        }
        static_cast<void>(events.wait(os::earliest({end, os::deadline_after(pause)})));
        os::reap_all(events.other_child());
    }
}

void stop_unseen(pid_t target, int signal, const os::Deadline& deadline, os::Events& events) {
    ::kill(target, signal);
    ::kill(target, SIGCONT);
    wait_unseen(target, deadline, events);
}

} // namespace finally_run::supervise
