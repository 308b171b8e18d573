// What a start costs where many runs were left unfinished, which nobody recovers since nobody takes their lock.
#include "driver.hpp"
#include "left.hpp"
#include "parts.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <random>
#include <stdexcept>

namespace finally_run::bench {

namespace {

std::string state_with(unsigned count) { return fmt::format("state-{}", count); }

struct Costs {
    Series first; // it tells of each
    Series bare;
    Series lock;
};

} // namespace

void leftovers(const Place& place, const Extent& extent, Report& report) {
    const Driver driver(place.errors());
    const Driver talkative(place.null());
    const Words bare{FINALLY_RUN_BINARY, "true"};
    const Words lock{FINALLY_RUN_BINARY, "--lock", "free", "true"};
    auto counts = powers_of_ten(extent.most);
    counts.insert(counts.begin(), 0);
    const auto environment = [&](unsigned count) { return place.environment({}, state_with(count)); };

    std::map<unsigned, Costs> costs;
    for (const unsigned count : counts) {
        if (count > 0) {
            leave_behind(place, state_with(count), count);
        }
        costs[count].first.add(talkative.start(bare, environment(count)));
    }
    std::mt19937 random(1);
    for (unsigned round = 0; round < std::max(3U, extent.rounds / 5); ++round) {
        auto order = counts;
        std::ranges::shuffle(order, random);
        for (const unsigned count : order) {
            costs[count].bare.add(driver.start(bare, environment(count)));
            costs[count].lock.add(driver.start(lock, environment(count)));
        }
    }
    place.expect_silence();

    Table table{"leftovers: a start where runs of another lock were left unfinished",
                {{"leftovers"},
                 {"first start ms"},
                 {"start ms", 3},
                 {"beside none"},
                 {"with a lock ms", 3},
                 {"lock beside none"}},
                {}};
    for (const unsigned count : counts) {
        const auto beside_none = [&](Series Costs::*start) {
            return paired_ratio((costs[count].*start).milliseconds, (costs[0].*start).milliseconds).median;
        };
        const Costs& its = costs[count];
        table.rows.push_back({std::to_string(count), its.first.milliseconds.front(), median(its.bare.milliseconds),
                              beside_none(&Costs::bare), median(its.lock.milliseconds), beside_none(&Costs::lock)});
        if (count > 0 && journals_in(place.path(state_with(count))).size() != count) {
            throw std::runtime_error(fmt::format("of {} leftovers some are gone", count));
        }
    }
    report.add(std::move(table));
    const unsigned most = counts.back();
    const auto goal = [&](const char* name, Series Costs::*start) {
        const Series& many = costs[most].*start;
        const Series& none = costs[0].*start;
        report.add(Goal{fmt::format("{} beside {} leftovers beside none", name, most), 1.5,
                        paired_ratio(many.milliseconds, none.milliseconds), paired_ratio(many.cpu, none.cpu).median});
    };
    goal("a start", &Costs::bare);
    goal("a start with a lock", &Costs::lock);
}

} // namespace finally_run::bench
