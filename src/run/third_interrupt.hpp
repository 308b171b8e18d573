// Watches the supervisor's cleanups for the third Ctrl+C, which gives the prompt back and the rest to the guardian.
#pragma once

#include "cleanup/executor.hpp"

#include <functional>

namespace finally_run::run {

class ThirdInterrupt : public cleanup::Observer {
public:
    // Everything goes on to `narrator`. `hand_over` does not return if it can be done.
    ThirdInterrupt(cleanup::Observer& narrator, std::function<void(const cleanup::Cleanup&)> hand_over)
        : m_narrator(narrator), m_hand_over(std::move(hand_over)) {}

    void begin(const cleanup::Cleanup& cleanup) override { m_narrator.begin(cleanup); }
    void end(const cleanup::Cleanup& cleanup, const cleanup::Outcome& outcome, text::Duration took) override {
        m_narrator.end(cleanup, outcome, took);
    }
    void retrying(const cleanup::Cleanup& cleanup, const cleanup::Outcome& outcome, text::Duration pause) override {
        m_narrator.retrying(cleanup, outcome, pause);
    }
    void on_signal(const cleanup::Cleanup& cleanup, const os::Signal& signal) override {
        constexpr unsigned enough = 3;
        m_narrator.on_signal(cleanup, signal);
        if (signal.number == SIGINT && signal.from_kernel && ++m_interrupts >= enough) {
            m_hand_over(cleanup);
        }
    }
    void noticed(const supervise::Notice& notice) override { m_narrator.noticed(notice); }
    void moved(const cleanup::Cleanup& cleanup, std::string_view reason) override { m_narrator.moved(cleanup, reason); }

private:
    cleanup::Observer& m_narrator;
    std::function<void(const cleanup::Cleanup&)> m_hand_over;
    unsigned m_interrupts = 0;
};

} // namespace finally_run::run
