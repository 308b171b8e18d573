// Ends what a live run is at, from outside.
#pragma once

#include "journal/state.hpp"
#include "os/clock.hpp"
#include "supervise/survivors.hpp"

#include <cstdint>
#include <optional>

namespace finally_run::rescue {

// Ends what was at work when it was asked for, each time that it is started again: a cleanup that was cut off is run
// once more by the guardian, and a failed one is tried again.
class Stopper {
public:
    void look(const journal::State& state);
    [[nodiscard]] const os::Deadline& next_kill() const { return m_kill_at; }
    void kill_if_due();

private:
    void stop_command(const journal::State& state);
    void stop_cleanup(const journal::State& state, const journal::Started& cleaning);

    bool m_told = false;                    // whoever watches over the command
    std::optional<std::uint64_t> m_cleanup; // its id
    std::optional<supervise::Survivors> m_processes;
    os::Deadline m_kill_at;
};

} // namespace finally_run::rescue
