// What one cleanup costs among many. In each sweep the small runs are spread around the large ones, so that what
// disturbs the machine disturbs both.
#include "driver.hpp"
#include "parts.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>

namespace finally_run::bench {

namespace {

constexpr unsigned sweeps = 3;
constexpr const char* cmd = "/usr/bin/true";

struct Way {
    const char* name;
    Words (*words)(unsigned count);
};

Words on_the_command_line(unsigned count) {
    Words words{FINALLY_RUN_BINARY};
    for (unsigned i = 0; i < count; ++i) {
        words.insert(words.end(), {"-c", cmd});
    }
    words.emplace_back("true");
    return words;
}

Words by_defer(unsigned count) {
    return {FINALLY_RUN_BINARY, BENCH_HELPER, "defer", FINALLY_RUN_BINARY, cmd, std::to_string(count)};
}

constexpr std::array ways{Way{"command line", on_the_command_line}, Way{"--defer", by_defer}};

using Sweep = std::map<unsigned, Series>; // by the number of cleanups
using Cost = std::vector<double> Series::*;

Sweep sweep(const Place& place, const Driver& driver, const Way& way, const std::vector<unsigned>& counts,
            std::mt19937& random) {
    std::vector<unsigned> order;
    for (const unsigned count : counts) {
        order.insert(order.end(), count <= 1 ? 40 : 1 + 200 / count, count);
    }
    std::ranges::shuffle(order, random);
    Sweep found;
    for (const unsigned count : order) {
        found[count].add(driver.start(way.words(count), place.environment()));
    }
    return found;
}

// One element a sweep.
std::vector<double> medians(const std::vector<Sweep>& all, unsigned count, Cost cost) {
    std::vector<double> values;
    for (const Sweep& one : all) {
        values.push_back(median(one.at(count).*cost));
    }
    return values;
}

// Of one cleanup among `count`: what the run costs beyond one without any.
std::vector<double> each(const std::vector<Sweep>& all, unsigned count, Cost cost) {
    auto values = medians(all, count, cost);
    const auto none = medians(all, 0, cost);
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = (values[i] - none[i]) / count;
    }
    return values;
}

Table table_of(const std::vector<Sweep>& all, const std::vector<unsigned>& counts, const char* way) {
    Table table{fmt::format("cleanups: many of them, registered by {}", way),
                {{"cleanups"}, {"run ms"}, {"each ms", 4}, {"beside one", 3}, {"each CPU ms", 4}, {"peak KiB", 0}},
                {}};
    const auto one = each(all, 1, &Series::milliseconds);
    for (const unsigned count : counts) {
        auto& row = table.rows.emplace_back(std::vector<Cell>{std::to_string(count), {}, {}, {}, {}, {}});
        row[1] = median(medians(all, count, &Series::milliseconds));
        row[5] = median(medians(all, count, &Series::peak));
        if (count > 0) {
            const auto its = each(all, count, &Series::milliseconds);
            row[2] = median(its);
            row[3] = paired_ratio(its, one).median;
            row[4] = median(each(all, count, &Series::cpu));
        }
    }
    return table;
}

} // namespace

void cleanups(const Place& place, const Extent& extent, Report& report) {
    const Driver driver(place.errors());
    std::mt19937 random(1);
    auto counts = powers_of_ten(extent.most);
    counts.insert(counts.begin(), 0);
    const unsigned most = counts.back();
    for (const Way& way : ways) {
        std::vector<Sweep> all;
        for (unsigned i = 0; i < sweeps; ++i) {
            all.push_back(sweep(place, driver, way, counts, random));
        }
        place.expect_silence();
        report.add(table_of(all, counts, way.name));
        // What is done once for all of them is in the cost of one; among 100 it is not, so that tells what grows.
        for (const unsigned few : {1U, 100U}) {
            if (few < most) {
                report.add(
                    Goal{fmt::format("one of {} cleanups by {} beside one of {}", most, way.name, few), 1.1,
                         paired_ratio(each(all, most, &Series::milliseconds), each(all, few, &Series::milliseconds)),
                         paired_ratio(each(all, most, &Series::cpu), each(all, few, &Series::cpu)).median});
            }
        }
    }
}

} // namespace finally_run::bench
