// How a cleanup went.
#pragma once

#include "plan/cleanup.hpp"

#include <optional>
#include <string>

namespace finally_run::cleanup {

using plan::Cleanup;

struct Outcome {
    std::optional<int> exit_code; // of the last attempt, as a shell shows it; none if nothing was started
    int signal = 0;               // what killed the last attempt
    unsigned attempts = 0;
    std::string error;             // why it counts as failed; empty: it succeeded
    bool lacked_resources = false; // it was not even started, for want of processes, memory or descriptors
    bool hung_up = false;          // it was in the foreground of a terminal that is gone, and killed by that
};

} // namespace finally_run::cleanup
