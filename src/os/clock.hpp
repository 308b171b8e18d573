// Deadlines on the monotonic clock, in the form that poll(2) wants.
#pragma once

#include "text/duration.hpp"

#include <chrono>
#include <initializer_list>
#include <optional>

namespace finally_run::os {

using Clock = std::chrono::steady_clock;           // CLOCK_MONOTONIC: not set, not slewed by a changed date
using Deadline = std::optional<Clock::time_point>; // nullopt: never

// From now on; a limit too long for the clock is "never".
[[nodiscard]] Deadline deadline_after(text::Limit limit);

[[nodiscard]] Deadline earliest(std::initializer_list<Deadline> deadlines);
[[nodiscard]] bool has_passed(const Deadline& deadline);

// Milliseconds until then, rounded up so that a poll never wakes a moment too early; -1 for never.
[[nodiscard]] int poll_timeout(const Deadline& deadline);

} // namespace finally_run::os
