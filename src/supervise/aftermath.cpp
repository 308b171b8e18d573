#include "supervise/aftermath.hpp"

#include <csignal>
#include <unistd.h>

namespace finally_run::supervise {

namespace {

// Without a pidfd only the ends of our own children wake us.
constexpr auto no_pidfd_pause = std::chrono::milliseconds(100);

} // namespace

bool kill_members(const Members& members) {
    bool any = false;
    for (const os::ProcessInfo& process : members()) {
        any = os::send_signal(process, SIGKILL) || any;
    }
    return any;
}

Aftermath::Waited Aftermath::wait_until_gone(const os::Deadline& deadline, int* stop_request) const {
    for (;;) {
        const auto left = members();
        os::reap_all(); // after the look, so that nobody is left as a zombie either
        if (left.empty()) {
            return Waited::gone;
        }
        // Its end wakes us even if its parent is not us.
        const os::Fd first = os::open_pidfd(left.front().pid);
        const os::Deadline look_again = first ? deadline : os::earliest({deadline, os::deadline_after(no_pidfd_pause)});
        const os::Event event = events.wait(look_again, first.get());
        if (os::has_passed(deadline)) {
            return Waited::deadline;
        }
        int request = std::holds_alternative<os::CallerGone>(event) ? stop_signal : 0;
        if (const auto* const signal = std::get_if<os::Signal>(&event)) {
            const int number = signal->number;
            if (on_signal) {
                on_signal(*signal);
            }
            if (os::default_action(number) == os::DefaultAction::stop) {
                os::stop_self(number);
            }
            if (const int as = plan::passed_on_as(rewrites, number);
                as == SIGHUP || as == SIGINT || as == SIGQUIT || as == SIGTERM) {
                request = as;
            }
        }
        if (request != 0 && stop_request != nullptr) {
            *stop_request = request;
            return Waited::stop_request;
        }
    }
}

void Aftermath::stop(const os::Deadline& deadline) const {
    for (const os::ProcessInfo& process : members()) {
        const bool told =
            told_signal != 0 && process.group == told_group && !os::ignores_signal(process.pid, told_signal);
        if (!told) {
            os::send_signal(process, stop_signal);
        }
        if (process.state == 'T') {
            os::send_signal(process, SIGCONT);
        }
    }
    if (wait_until_gone(deadline, nullptr) == Waited::gone) {
        return;
    }
    // New ones may be forked while we kill: until nobody is left, or nobody whom we may signal.
    while (kill_members(members)) {
        if (wait_until_gone(os::deadline_after(std::chrono::milliseconds(100)), nullptr) == Waited::gone) {
            return;
        }
    }
}

std::optional<int> Aftermath::wait() const {
    int request = 0;
    if (wait_until_gone(std::nullopt, &request) == Waited::gone) {
        return std::nullopt;
    }
    return request;
}

bool Aftermath::wait_until(const os::Deadline& deadline) const {
    return wait_until_gone(deadline, nullptr) == Waited::gone;
}

} // namespace finally_run::supervise
