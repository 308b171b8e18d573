#include "os/clock.hpp"

#include "os/error.hpp"

#include <algorithm>
#include <ctime>
#include <limits>
#include <sys/timerfd.h>
#include <utility>

namespace finally_run::os {

namespace {

template <typename AnyClock> std::optional<typename AnyClock::time_point> after(text::Limit limit) {
    if (!limit) {
        return std::nullopt;
    }
    const auto now = AnyClock::now();
    if (*limit > AnyClock::time_point::max() - now) {
        return std::nullopt;
    }
    return now + *limit;
}

} // namespace

BootClock::time_point BootClock::now() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return time_point(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

Fd alarm_at(const BootDeadline& deadline) {
    if (!deadline) {
        return {};
    }
    Fd alarm(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
    const auto since_boot = deadline->time_since_epoch();
    const auto whole = std::chrono::floor<std::chrono::seconds>(since_boot);
    itimerspec time{};
    time.it_value.tv_sec = whole.count();
    time.it_value.tv_nsec = (since_boot - whole).count();
    if (!alarm || ::timerfd_settime(alarm.get(), TFD_TIMER_ABSTIME, &time, nullptr) < 0) {
        throw_errno("timerfd");
    }
    return moved_high(std::move(alarm));
}

Deadline deadline_after(text::Limit limit) { return after<Clock>(limit); }
BootDeadline boot_deadline_after(text::Limit limit) { return after<BootClock>(limit); }

Deadline earliest(std::initializer_list<Deadline> deadlines) {
    Deadline first;
    for (const Deadline& deadline : deadlines) {
        if (deadline && (!first || *deadline < *first)) {
            first = deadline;
        }
    }
    return first;
}

bool has_passed(const Deadline& deadline) { return deadline && Clock::now() >= *deadline; }
bool has_passed(const BootDeadline& deadline) { return deadline && BootClock::now() >= *deadline; }

int poll_timeout(const Deadline& deadline) {
    if (!deadline) {
        return -1;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<decltype(left)>(left, 0, std::numeric_limits<int>::max()));
}

} // namespace finally_run::os
