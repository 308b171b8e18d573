// One lock at its engine, from the start of its helper to its release: what is to be done on what the helper says and
// does. Decisions without a process.
#pragma once

#include "engine/message.hpp"
#include "engine/said.hpp"
#include "os/wait_status.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace finally_run::engine {

class Tenure {
public:
    enum class Phase { wanted, held, releasing, over };

    struct Reaction {
        std::optional<Message::What> tell = {}; // the run
        std::string text = {};
        bool end_stdin = false;     // the helper is to release
        bool terminate = false;     // by TERM: it did not, and so once more
        bool kill = false;          // and what it has started
        std::string not_freed = {}; // why the lock may still be held though it is no longer wanted
    };

    [[nodiscard]] Reaction on_said(const Said& said);
    // It does not speak the protocol.
    [[nodiscard]] Reaction on_breach(std::string_view breach);
    // Nobody can say anything more on its stdout.
    [[nodiscard]] Reaction on_closed();
    // `last_words`: the last line of its stderr.
    [[nodiscard]] Reaction on_ended(const os::WaitStatus& status, std::string_view last_words);
    // The lock is no longer needed.
    [[nodiscard]] Reaction on_release();
    // It has been releasing for too long.
    [[nodiscard]] Reaction on_patience_over();

    [[nodiscard]] Phase phase() const { return m_phase; }
    // Nothing is left to be waited for.
    [[nodiscard]] bool is_over() const { return m_phase == Phase::over && m_ended; }

private:
    [[nodiscard]] Reaction end(std::string text);
    // Of one that did not release the lock: `reason`, unless there was none to release.
    [[nodiscard]] std::string not_freed(std::string reason) const;

    Phase m_phase = Phase::wanted;
    bool m_was_held = false;
    bool m_ended = false;      // the helper has
    bool m_terminated = false; // it has been told twice
};

} // namespace finally_run::engine
