// What the small programs are asked and what they answer: plain structs through pipes and files.
#pragma once

#include <cstdint>
#include <ctime>

namespace finally_run::bench {

// One start, for the driver. Followed by `bytes` bytes: the words of the program and then its environment, each ended
// by NUL.
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

// What a command leaves in a file: who it was, and from when to when it ran.
struct Stamp {
    std::int64_t number;
    std::int64_t begin; // nanoseconds, as now() has them
    std::int64_t end;
};

// CLOCK_MONOTONIC is the same in all processes.
inline std::int64_t now() {
    timespec time = {};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

} // namespace finally_run::bench
