#include "supervise/aftermath.hpp"

#include "os/boot.hpp"
#include "os/reminder.hpp"

#include <algorithm>
#include <compare>
#include <csignal>
#include <unistd.h>
#include <utility>

namespace finally_run::supervise {

namespace {

// Without a pidfd only the ends of our own children wake us.
constexpr auto no_pidfd_pause = std::chrono::milliseconds(100);

// Somebody may have been forked between our look and our signal. Most end in less, and then one look tells.
constexpr auto next_look = std::chrono::milliseconds(2);

// Pids go up and around; two that were given out within a tick of /proc are not this far apart.
constexpr pid_t half_way = 1 << 14;

bool is_later(const os::ProcessInfo& process, std::uint64_t when, pid_t newest) {
    const auto start = os::start_against(process, when);
    if (std::is_neq(start) || newest == 0) {
        return std::is_gteq(start);
    }
    const pid_t distance = process.pid - newest;
    return distance > half_way ? false : distance < -half_way || distance > 0;
}

bool is_in(const std::unordered_map<pid_t, unsigned long long>& known, const os::ProcessInfo& process) {
    const auto at = known.find(process.pid);
    return at != known.end() && at->second == process.start_ticks;
}

// As another one it has nobody to reach here: it ends the wait only if that means stop.
int asked_by(const os::Signal& signal, std::span<const plan::Rewrite> rewrites) {
    const int as = plan::passed_on_as(rewrites, signal.number);
    if (as == signal.number) {
        return os::ends_a_wait(signal);
    }
    return os::means_stop(as) ? as : 0;
}

// Of what is no signal.
StopCause cause_in(const os::Event& event) {
    if (std::holds_alternative<os::CallerGone>(event)) {
        return StopCause::caller_gone;
    }
    if (std::holds_alternative<os::LockLost>(event)) {
        return StopCause::lock_lost;
    }
    return std::holds_alternative<os::ServiceEnded>(event) ? StopCause::service_ended : StopCause::none;
}

} // namespace

const Aftermath::Told* Aftermath::told(const os::ProcessInfo& process) const {
    const auto at = m_told.find(process.pid);
    return at != m_told.end() && at->second.start_ticks == process.start_ticks ? &at->second : nullptr;
}

const Aftermath::Told* Aftermath::forked_by_told(const os::ProcessInfo& process,
                                                 const std::vector<os::ProcessInfo>& left) const {
    const auto parent = std::ranges::find(left, process.parent, &os::ProcessInfo::pid);
    const Told* const by = parent != left.end() ? told(*parent) : nullptr;
    return by != nullptr && is_later(process, by->when, by->newest) ? by : nullptr;
}

void Aftermath::notify(const Notice& notice) const {
    if (m_settings.notify) {
        m_settings.notify(notice);
    }
}

void Aftermath::refused(const os::ProcessInfo& process, int error) {
    if (!is_in(m_refused, process)) {
        m_refused[process.pid] = process.start_ticks;
        notify({.what = Notice::What::refused, .process = process, .error = error});
    }
}

bool Aftermath::tell(const Order& order, const std::vector<os::ProcessInfo>& left) {
    bool any = false;
    for (const os::ProcessInfo& process : left) {
        if (process.ended) {
            continue;
        }
        const Told* const before = told(process);
        if (before != nullptr && before->itself) {
            continue;
        }
        if (const Told* const by = forked_by_told(process, left)) {
            Told own = *by;
            own.start_ticks = process.start_ticks;
            own.itself = false;
            m_told[process.pid] = own;
            continue;
        }
        Told now{.start_ticks = process.start_ticks, .when = os::boot_nanoseconds(), .newest = os::newest_pid()};
        const bool by_group = order.told_signal != 0 && process.group == order.told_group &&
                              !os::ignores_signal(process.pid, order.told_signal);
        if (!by_group) {
            any = true;
            const os::Delivery delivery = os::send_signal(process, order.signal, &now.newest);
            if (delivery.how == os::Delivery::How::refused) {
                refused(process, delivery.error);
            }
        }
        if (process.state == 'T') {
            os::send_signal(process, SIGCONT);
        }
        m_told[process.pid] = now;
    }
    return any;
}

bool Aftermath::kill(const std::vector<os::ProcessInfo>& left, pid_t silent) {
    bool any = false;
    if (std::ranges::any_of(left, &os::ProcessInfo::ended)) {
        any = ::kill(-m_group, SIGKILL) == 0;
    }
    for (const os::ProcessInfo& process : left) {
        if (process.ended || is_in(m_refused, process) || is_in(m_killed, process)) {
            continue;
        }
        os::ProcessInfo named = process;
        named.name = os::command_line(process); // its words are gone with it
        const os::Delivery delivery = os::send_signal(process, SIGKILL);
        if (delivery.how == os::Delivery::How::refused) {
            refused(process, delivery.error);
        } else if (delivery.sent()) {
            any = true;
            m_killed[process.pid] = process.start_ticks;
            if (process.pid != silent) {
                notify({.what = Notice::What::killed, .process = std::move(named)});
            }
        }
    }
    return any;
}

// Of those that have ended, which are there if somebody runs away from our looks, those of the group that we may kill.
std::vector<os::ProcessInfo> Aftermath::members() const {
    auto left = m_settings.members();
    std::erase_if(left,
                  [&](const os::ProcessInfo& one) { return one.ended && (m_group == 0 || one.group != m_group); });
    return left;
}

Aftermath::Waited Aftermath::wait_until_gone(const os::Deadline& deadline, const Act& act, bool may_give_up,
                                             Next next) {
    os::Reminder reminder = next == Next::kill ? os::Reminder(os::Clock::now(), first_word_after) : os::Reminder();
    for (;;) {
        const auto left = members();
        const bool looks_on = left.empty() && m_settings.awaited; // else they are not what we wait for yet
        const auto awaited = looks_on ? m_settings.awaited() : std::vector<os::ProcessInfo>();
        const bool acted = act && act(left);  // while who has ended keeps the number of its group from being given out
        os::reap_all(m_events.other_child()); // after the look, so that nobody is left as a zombie either
        if (left.empty() && awaited.empty()) {
            return Waited::gone;
        }
        // Its end wakes us even if its parent is not us.
        const os::ProcessInfo& one = left.empty() ? awaited.front() : left.front();
        const os::Fd first = one.ended ? os::Fd() : os::open_pidfd(one.pid);
        const os::Deadline look_again = acted || one.ended ? os::deadline_after(next_look)
                                        : first            ? os::Deadline()
                                                           : os::deadline_after(no_pidfd_pause);
        const os::Event event = m_events.wait(os::earliest({deadline, look_again, reminder.next()}), first.get());
        if (os::has_passed(deadline)) {
            return Waited::deadline;
        }
        if (reminder.is_due()) {
            notify({.what = Notice::What::awaited,
                    .process = one,
                    .so_far = reminder.so_far(),
                    .kill_at = next == Next::kill ? deadline : std::nullopt});
        }
        StopCause cause = cause_in(event);
        int asked = 0;
        if (const auto* const signal = std::get_if<os::Signal>(&event)) {
            if (m_settings.on_signal) {
                m_settings.on_signal(*signal);
            } else {
                asked = asked_by(*signal, m_settings.rewrites);
                cause = asked != 0 ? StopCause::signal : cause;
            }
        }
        if (cause != StopCause::none && m_settings.on_request && m_settings.on_request(cause, asked) && may_give_up) {
            return Waited::given_up;
        }
    }
}

Aftermath::Waited Aftermath::stop(const Order& order, const os::Deadline& deadline) {
    m_group = order.told_group == ::getpgrp() ? 0 : order.told_group;
    const auto tell_those = [&](const auto& left) { return tell(order, left); };
    if (const Waited waited = wait_until_gone(deadline, tell_those, !deadline, Next::kill);
        waited != Waited::deadline) {
        return waited;
    }
    // New ones may be forked while we kill.
    return wait_until_gone(
        std::nullopt, [this](const auto& left) { return kill(left, 0); }, true);
}

Aftermath::Waited Aftermath::wait(const os::Deadline& deadline) { return wait_until_gone(deadline, {}, true); }

void Aftermath::kill(pid_t silent) { kill(members(), silent); }

} // namespace finally_run::supervise
