// Compares what was promised during a storm with what was done.
#pragma once

#include "place.hpp"

#include <cstddef>

namespace finally_run::storm {

struct Verdict {
    std::size_t acknowledged = 0;
    std::size_t refused = 0;
    std::size_t ran = 0;    // well, different ones
    std::size_t again = 0;  // more than once
    std::size_t failed = 0; // and are shown as that
    std::size_t lost = 0;   // acknowledged, and neither of these
    std::size_t turns = 0;  // of commands that counted
    std::size_t by_guardian = 0;
    std::size_t by_recovery = 0; // runs, by who ran their last cleanup
};

// What is wrong becomes a violation of the place. `cut_off`: at most so many cleanups may have had to run again.
[[nodiscard]] Verdict judge(const Place& place, unsigned cut_off);

} // namespace finally_run::storm
