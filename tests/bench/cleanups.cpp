// What one cleanup costs among many. In each sweep the small runs are repeated around the large one, so that what
// disturbs the machine disturbs both.
#include "driver.hpp"
#include "parts.hpp"

#include <fmt/format.h>

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

struct Costs {
    std::vector<double> milliseconds;
    std::vector<double> cpu;
    std::vector<double> peak;
};
using Sweep = std::map<unsigned, Costs>; // by the number of cleanups

Sweep sweep(const Driver& driver, const Words& environment, const Way& way, const std::vector<unsigned>& counts,
            std::mt19937& random) {
    std::vector<unsigned> order;
    for (const unsigned count : counts) {
        order.insert(order.end(), count <= 10 ? 20 : 1 + 400 / count, count);
    }
    std::ranges::shuffle(order, random);
    Sweep found;
    for (const unsigned count : order) {
        const Sample sample = driver.start(way.words(count), environment);
        found[count].milliseconds.push_back(static_cast<double>(sample.nanoseconds) / 1e6);
        found[count].cpu.push_back(static_cast<double>(sample.cpu_microseconds) / 1e3);
        found[count].peak.push_back(static_cast<double>(sample.peak_kib));
    }
    return found;
}

// Of one cleanup among `count`, in each sweep: what the run costs beyond one without any.
std::vector<double> each(std::vector<Sweep>& all, unsigned count, std::vector<double> Costs::*cost) {
    std::vector<double> values;
    for (Sweep& one : all) {
        values.push_back((median(one[count].*cost) - median(one[0].*cost)) / count);
    }
    return values;
}

} // namespace

void cleanups(const Place& place, const Extent& extent, Report& report) {
    const Driver driver(place.errors());
    std::mt19937 random(1);
    std::vector<unsigned> counts = powers_of_ten(extent.most);
    counts.insert(counts.begin(), 0);
    for (const Way& way : ways) {
        std::vector<Sweep> all;
        for (unsigned i = 0; i < sweeps; ++i) {
            all.push_back(sweep(driver, place.environment(), way, counts, random));
        }
        place.expect_silence();
        Table table{fmt::format("cleanups: many of them, registered by {}", way.name),
                    {{"cleanups"}, {"run ms"}, {"each ms", 4}, {"beside one", 3}, {"each CPU ms", 4}, {"peak KiB", 0}},
                    {}};
        const auto one = each(all, 1, &Costs::milliseconds);
        for (const unsigned count : counts) {
            std::vector<double> total;
            std::vector<double> peak;
            for (Sweep& its : all) {
                total.push_back(median(its[count].milliseconds));
                peak.push_back(median(its[count].peak));
            }
            auto& row =
                table.rows.emplace_back(std::vector<Cell>{std::to_string(count), median(total), {}, {}, {}, {}});
            row[5] = median(peak);
            if (count > 0) {
                const auto its = each(all, count, &Costs::milliseconds);
                row[2] = median(its);
                row[3] = paired_ratio(its, one).median;
                row[4] = median(each(all, count, &Costs::cpu));
            }
        }
        report.add(std::move(table));
        const unsigned most = counts.back();
        report.add(Goal{fmt::format("{} cleanups by {} beside {} x one", most, way.name, most), 1.1,
                        paired_ratio(each(all, most, &Costs::milliseconds), one),
                        paired_ratio(each(all, most, &Costs::cpu), each(all, 1, &Costs::cpu)).median});
    }
}

} // namespace finally_run::bench
