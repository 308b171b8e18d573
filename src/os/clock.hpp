// Deadlines on the monotonic clock, in the form that poll(2) wants; and one on a clock that goes on in suspend.
#pragma once

#include "os/fd.hpp"
#include "text/duration.hpp"

#include <chrono>
#include <initializer_list>
#include <optional>

namespace finally_run::os {

using Clock = std::chrono::steady_clock;           // CLOCK_MONOTONIC: not set, not slewed by a changed date
using Deadline = std::optional<Clock::time_point>; // nullopt: never

// CLOCK_BOOTTIME: the same, and it goes on while the machine is suspended.
struct BootClock {
    // NOLINTBEGIN(readability-identifier-naming): the names that std::chrono wants
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<BootClock>;
    // NOLINTEND(readability-identifier-naming)
    static constexpr bool is_steady = true;
    [[nodiscard]] static time_point now();
};
using BootDeadline = std::optional<BootClock::time_point>;

// A descriptor that is readable from then on. The timeout of poll(2) stands still in suspend: timerfd_create(2).
[[nodiscard]] Fd alarm_at(const BootDeadline& deadline);

// From now on; a limit too long for the clock is "never".
[[nodiscard]] Deadline deadline_after(text::Limit limit);
[[nodiscard]] BootDeadline boot_deadline_after(text::Limit limit);

[[nodiscard]] Deadline earliest(std::initializer_list<Deadline> deadlines);
[[nodiscard]] bool has_passed(const Deadline& deadline);
[[nodiscard]] bool has_passed(const BootDeadline& deadline);

// Milliseconds until then, rounded up so that a poll never wakes a moment too early; -1 for never.
[[nodiscard]] int poll_timeout(const Deadline& deadline);

} // namespace finally_run::os
