// Ends what a live run is at, from outside.
#pragma once

#include "journal/file.hpp"
#include "journal/state.hpp"
#include "os/clock.hpp"
#include "supervise/survivors.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace finally_run::rescue {

// Ends what was at work when it was asked for. That a cleanup is to end is written down first, so that whoever works on
// the run, now or after that, does not begin it again. Each time that it is begun all the same it is ended again.
class Stopper {
public:
    // Told if that could not be written down.
    using Trouble = std::function<void(std::string_view reason)>;

    // `file`, the journal of the run, is borrowed.
    Stopper(journal::File& file, Trouble trouble) : m_file(file), m_trouble(std::move(trouble)) {}

    void look(const journal::State& state);
    [[nodiscard]] const os::Deadline& next_kill() const { return m_kill_at; }
    void kill_if_due();
    // Whether somebody else than us is still to be killed then.
    [[nodiscard]] bool may_kill() { return m_kill_at && !m_processes->members().empty(); }

private:
    void stop_command(const journal::State& state);
    void stop_cleanup(const journal::State& state, const journal::Started& cleaning);
    void write_down(std::uint64_t cleanup);

    journal::File& m_file;
    Trouble m_trouble;
    bool m_told = false;                    // whoever watches over the command
    std::optional<std::uint64_t> m_cleanup; // its id
    bool m_written_down = false;
    std::optional<supervise::Survivors> m_processes;
    os::Deadline m_kill_at;
};

} // namespace finally_run::rescue
