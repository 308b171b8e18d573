#include "engine/tenure.hpp"

#include "text/signal_name.hpp"

#include <utility>

namespace finally_run::engine {

namespace {

constexpr int not_free = 75; // EX_TEMPFAIL of sysexits.h, as flock(1) is told to use by many

std::string how_it_ended(const os::WaitStatus& status) {
    return status.signal() != 0 ? "its helper was killed by " + text::signal_name(status.signal())
                                : "its helper has ended with status " + std::to_string(status.shell_code());
}

} // namespace

// Something has gone wrong: the lock is not had, or is not held any more.
Tenure::Reaction Tenure::end(std::string text) {
    const Phase before = std::exchange(m_phase, Phase::over);
    Reaction reaction{.kill = !m_ended};
    if (before == Phase::wanted || before == Phase::held) {
        reaction.tell = before == Phase::wanted ? Message::What::failed : Message::What::lost;
        reaction.text = std::move(text);
    }
    return reaction;
}

std::string Tenure::not_freed(std::string reason) const {
    return m_phase == Phase::releasing && m_was_held ? std::move(reason) : std::string();
}

Tenure::Reaction Tenure::on_said(const Said& said) {
    using enum Said::What;
    switch (said.what) {
    case waiting:
        return m_phase == Phase::wanted ? Reaction{.tell = Message::What::waiting, .text = said.text} : Reaction{};
    case unclean:
        return m_phase == Phase::wanted ? Reaction{.tell = Message::What::unclean, .text = said.text} : Reaction{};
    case held:
        if (m_phase != Phase::wanted) { // it is being given up already
            return {};
        }
        m_phase = Phase::held;
        m_was_held = true;
        return {.tell = Message::What::held, .text = said.text};
    case done:
        if (m_phase == Phase::releasing) {
            m_phase = Phase::over; // all that is left is its end
            return {};
        }
        return m_phase == Phase::over ? Reaction{} : end("its helper says that it has released it");
    }
    return {};
}

Tenure::Reaction Tenure::on_breach(std::string_view breach) {
    if (m_phase == Phase::releasing) {
        return {}; // it may release all the same: how it ends tells
    }
    return m_phase == Phase::over ? Reaction{.kill = !m_ended}
                                  : end("its helper does not keep to the protocol: " + std::string(breach));
}

Tenure::Reaction Tenure::on_closed() {
    if (m_phase == Phase::releasing || m_phase == Phase::over) {
        return {};
    }
    return end("its helper has closed its stdout");
}

Tenure::Reaction Tenure::on_ended(const os::WaitStatus& status, std::string_view last_words) {
    m_ended = true;
    const bool busy = m_phase == Phase::wanted && status.signal() == 0 && status.shell_code() == not_free;
    const std::string words(last_words);
    if (busy) {
        m_phase = Phase::over;
        return {.tell = Message::What::busy, .text = words};
    }
    const std::string how = how_it_ended(status);
    std::string doubt = status.success() ? "" : not_freed(how);
    Reaction reaction = end(how + (words.empty() ? "" : ": " + words));
    reaction.not_freed = std::move(doubt);
    return reaction;
}

Tenure::Reaction Tenure::on_release() {
    if (m_phase == Phase::over || m_phase == Phase::releasing) {
        return {};
    }
    m_phase = Phase::releasing;
    return {.end_stdin = true};
}

Tenure::Reaction Tenure::on_patience_over() {
    if (!m_ended && !std::exchange(m_terminated, true)) {
        return {.terminate = true};
    }
    Reaction reaction{.kill = !m_ended, .not_freed = not_freed("its helper did not give it back in time")};
    m_phase = Phase::over;
    return reaction;
}

} // namespace finally_run::engine
