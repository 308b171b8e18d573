// What the driver is asked, and what it answers: plain structs through two pipes.
#pragma once

#include <cstdint>

namespace finally_run::bench {

// Followed by `bytes` bytes: the words of the program and then its environment, each ended by NUL.
struct Request {
    std::uint32_t bytes;
    std::uint32_t words;
    std::uint32_t variables;
};

// The cost of one start, with that of every descendant that was waited for.
struct Sample {
    std::int64_t nanoseconds = 0;      // from before vfork(2) to the return of wait4(2)
    std::int64_t cpu_microseconds = 0; // user and system
    std::int64_t peak_kib = 0;         // of the largest process
    std::int64_t faults = 0;           // page faults
    std::int32_t status = 0;           // as wait(2) has it
};

} // namespace finally_run::bench
