// The parts of the benchmark. Each adds its tables and goals to the report.
#pragma once

#include "place.hpp"
#include "report.hpp"

#include <vector>

namespace finally_run::bench {

struct Extent {
    unsigned rounds = 300;  // of starts
    unsigned most = 10'000; // of what there can be many of
};

// What a start costs, beside other wrappers.
void start(const Place& place, const Extent& extent, Report& report);

// What one cleanup costs among many, given on the command line or by --defer.
void cleanups(const Place& place, const Extent& extent, Report& report);

// One lock and many who wait for it: how fast and how fair it is handed over, and what waiting costs.
void waiters(const Place& place, const Extent& extent, Report& report);

// What a start costs where many runs were left unfinished.
void leftovers(const Place& place, const Extent& extent, Report& report);

// What it costs to be told of many runs.
void status(const Place& place, const Extent& extent, Report& report);

// What those take who wait, and those who watch over a command.
void memory(const Place& place, const Extent& extent, Report& report);

// What it costs a command that writes a lot to be wrapped.
void standard_output(const Place& place, const Extent& extent, Report& report);

// 1, 10, 100... up to `most`.
[[nodiscard]] inline std::vector<unsigned> powers_of_ten(unsigned most) {
    std::vector<unsigned> powers;
    for (unsigned power = 1; power <= most; power *= 10) {
        powers.push_back(power);
    }
    return powers;
}

} // namespace finally_run::bench
