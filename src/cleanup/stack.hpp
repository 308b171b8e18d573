// The registry of a run's cleanups: last in, first out.
#pragma once

#include "plan/cleanup.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace finally_run::cleanup {

using plan::Cleanup;

// How a cleanup went.
struct Outcome {
    std::optional<int> exit_code; // of the last attempt, as a shell shows it; none if nothing was started
    int signal = 0;               // what killed the last attempt
    unsigned attempts = 0;
    std::string error;             // why it counts as failed; empty: it succeeded
    bool lacked_resources = false; // it was not even started, for want of processes, memory or descriptors
};

// A cleanup is on it from push() to finished(); whoever runs them asks top() again each time, since more may have come.
class Stack {
public:
    virtual ~Stack() = default;

    // Registers a cleanup before what it covers begins. Throws std::system_error if that cannot be done.
    virtual void push(Cleanup cleanup) = 0;
    [[nodiscard]] virtual std::optional<Cleanup> top() const = 0;
    virtual void started(const Cleanup& cleanup) = 0;
    virtual void finished(const Cleanup& cleanup, const Outcome& outcome) = 0;
};

// Lives as long as this process.
class MemoryStack : public Stack {
public:
    void push(Cleanup cleanup) override;
    [[nodiscard]] std::optional<Cleanup> top() const override;
    void started(const Cleanup& /*cleanup*/) override {}
    void finished(const Cleanup& cleanup, const Outcome& outcome) override;

private:
    std::vector<Cleanup> m_cleanups;
    std::uint64_t m_next_id = 1;
};

} // namespace finally_run::cleanup
