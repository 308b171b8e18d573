// The registry of a run's cleanups: last in, first out.
#pragma once

#include "plan/cleanup.hpp"

#include <functional>
#include <optional>
#include <string>

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
    [[nodiscard]] virtual std::optional<Cleanup> top() = 0;
    // What the process that runs it does first: see os::SpawnRequest::in_child.
    [[nodiscard]] virtual std::function<int()> in_child(const Cleanup& cleanup) = 0;
    virtual void finished(const Cleanup& cleanup, const Outcome& outcome) = 0;
};

} // namespace finally_run::cleanup
