// When to say again what a long wait waits for: after ten seconds, and then after pauses that grow.
#pragma once

#include "os/clock.hpp"

#include <algorithm>

namespace finally_run::os {

class Reminder {
public:
    explicit Reminder(Clock::time_point start = Clock::now()) : m_start(start), m_next(start + m_pause) {}

    [[nodiscard]] Deadline next() const { return m_next; }
    [[nodiscard]] text::Duration so_far(Clock::time_point now = Clock::now()) const { return now - m_start; }

    // Whether it is to be said now; true once each time.
    [[nodiscard]] bool is_due(Clock::time_point now = Clock::now()) {
        if (now < m_next) {
            return false;
        }
        m_pause = std::min<text::Duration>(m_pause * 2, longest);
        m_next = now + m_pause;
        return true;
    }

private:
    static constexpr text::Duration longest = std::chrono::minutes(30);

    text::Duration m_pause = std::chrono::seconds(10);
    Clock::time_point m_start;
    Clock::time_point m_next;
};

} // namespace finally_run::os
