// What a journal says, record by record: where the run is, and what is left to be done.
#pragma once

#include "journal/record.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace finally_run::journal {

struct State {
    Opened opened;
    std::vector<plan::Cleanup> stack; // the last one runs first
    bool begun = false;               // a step has: from here on the cleanups must run
    std::optional<Started> step;      // the setup or command that has started and, as far as is written, not ended
    std::optional<plan::Ending> ending;
    std::optional<Started> cleaning; // the cleanup that has started and not finished
    bool handed_over = false;        // ... and is not to be run again
    std::optional<TakenOver> taken_over;
    bool over = false;

    void apply(const Entry& entry);
    void apply(const std::vector<Entry>& entries);

    // The variables of the temporary directories that exist: name and path.
    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& variables() const { return m_variables; }

private:
    void apply(std::uint64_t offset, const Registered& registered);
    void apply(const Started& started);
    void apply(const CleanupEnded& finished);

    std::vector<std::pair<std::string, std::string>> m_variables;
};

} // namespace finally_run::journal
