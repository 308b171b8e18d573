// When to say what a long wait waits for: after ten seconds, or sooner if nothing has announced it, and then after
// pauses that grow.
#pragma once

#include "os/clock.hpp"

#include <algorithm>

namespace finally_run::os {

class Reminder {
public:
    explicit Reminder(Clock::time_point start = Clock::now(), text::Duration first = shortest)
        : m_pause(first), m_start(start), m_next(start + first) {}

    [[nodiscard]] Deadline next() const { return m_next; }
    [[nodiscard]] text::Duration so_far(Clock::time_point now = Clock::now()) const { return now - m_start; }

    // Whether it is to be said now; true once each time.
    [[nodiscard]] bool is_due(Clock::time_point now = Clock::now()) {
        if (now < m_next) {
            return false;
        }
        m_pause = std::clamp<text::Duration>(m_pause * 2, shortest, longest);
        m_next = now + m_pause;
        return true;
    }

private:
    static constexpr text::Duration shortest = std::chrono::seconds(10);
    static constexpr text::Duration longest = std::chrono::minutes(30);

    text::Duration m_pause;
    Clock::time_point m_start;
    Clock::time_point m_next;
};

} // namespace finally_run::os
