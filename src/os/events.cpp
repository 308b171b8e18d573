#include "os/events.hpp"

#include "os/error.hpp"
#include "os/process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <span>
#include <termios.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace finally_run::os {

std::optional<Interrupted> interrupted_by(const Event& event) {
    if (std::holds_alternative<CallerGone>(event)) {
        return Interrupted{SIGTERM, true};
    }
    const auto* const signal = std::get_if<Signal>(&event);
    const int ending = signal != nullptr ? ends_a_wait(*signal) : 0;
    return ending != 0 ? std::optional(Interrupted{ending, false}) : std::nullopt;
}

Events::Events(Signals& signals, Watched watched) : m_signals(signals), m_watch_stdout(watched.stdout_reader) {
    const pid_t caller = ::getppid();
    if (!watched.caller || caller <= 1) {
        return;
    }
    Fd pidfd = open_pidfd(caller);
    // The pid may have been freed and taken again before we opened it; our parent cannot come back.
    if (::getppid() != caller || (!pidfd && errno == ESRCH)) {
        m_caller_gone = true;
    } else if (pidfd) {
        m_caller = moved_high(std::move(pidfd));
    }
}

Event Events::wait(const Deadline& deadline, int extra_fd, int alarm_fd) {
    for (;;) {
        if (const auto signal = m_signals.next()) {
            return *signal;
        }
        if (std::exchange(m_caller_gone, false)) {
            return CallerGone{};
        }
        if (std::exchange(m_service_ended, false)) {
            return ServiceEnded{};
        }
        // poll(2) passes over negative descriptors. With no events asked for, stdout reports POLLERR (pipe) or POLLHUP
        // (socket, terminal) when its reader has gone.
        std::array<pollfd, 7> own{{{m_signals.fd(), POLLIN, 0},
                                   {m_caller.get(), POLLIN, 0},
                                   {m_watch_stdout ? STDOUT_FILENO : -1, 0, 0},
                                   {extra_fd, POLLIN, 0},
                                   {m_companion, 0, 0},
                                   {alarm_fd, POLLIN, 0},
                                   {m_lock, POLLIN, 0}}};
        std::span<pollfd> fds = own;
        std::vector<pollfd> all;
        if (m_beside != nullptr) {
            all.assign(own.begin(), own.end());
            m_beside->add_to(all);
            fds = all;
        }
        const int ready = ::poll(fds.data(), fds.size(), poll_timeout(deadline));
        if (ready < 0 && errno != EINTR && errno != EAGAIN && errno != ENOMEM) {
            throw_errno("poll");
        }
        if (ready == 0 && has_passed(deadline)) {
            return TimedOut{};
        }
        if (ready > 0 && m_beside != nullptr) {
            m_beside->work(fds.subspan(own.size()));
        }
        if (ready > 0 && fds[4].revents != 0) {
            m_companion = -1;
            const auto gone = std::exchange(m_companion_gone, {}); // it may watch another
            gone();
        }
        if (ready <= 0 || fds[0].revents != 0) {
            continue;
        }
        if (fds[1].revents != 0) {
            m_caller.reset();
            return CallerGone{};
        }
        if ((fds[2].revents & (POLLERR | POLLHUP)) != 0) {
            m_watch_stdout = false;
            return CallerGone{};
        }
        if (fds[2].revents != 0) {
            m_watch_stdout = false; // POLLNVAL: closed at entry
        }
        if (fds[6].revents != 0) {
            m_lock = -1;
            return LockLost{};
        }
        if (fds[3].revents != 0) {
            return Readable{};
        }
        if (fds[5].revents != 0 || (m_beside != nullptr && has_passed(deadline))) { // there may be work without end
            return TimedOut{};
        }
    }
}

void Events::hear(const siginfo_t& change) {
    const bool was_killed = change.si_code == CLD_KILLED || change.si_code == CLD_DUMPED;
    m_child_was_killed = m_child_was_killed || (was_killed && !means_stop(change.si_status));
    if (m_other_child) {
        m_other_child(change);
    }
}

void Events::watch_companion(int fd, std::function<void()> gone) {
    m_companion = fd;
    m_companion_gone = std::move(gone);
}

} // namespace finally_run::os
