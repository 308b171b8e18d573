// What a command leaves behind in a file: who it was, and from when to when it ran.
#pragma once

#include <cstdint>

namespace finally_run::bench {

struct Stamp {
    std::int64_t number;
    std::int64_t begin; // CLOCK_MONOTONIC, nanoseconds
    std::int64_t end;
};

} // namespace finally_run::bench
