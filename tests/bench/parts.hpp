// The parts of the benchmark. Each adds its tables and goals to the report.
#pragma once

#include "place.hpp"
#include "report.hpp"

namespace finally_run::bench {

struct Extent {
    unsigned rounds = 300;  // of starts
    unsigned most = 10'000; // of what there can be many of
};

// What a start costs, beside other wrappers.
void start(const Place& place, const Extent& extent, Report& report);

} // namespace finally_run::bench
