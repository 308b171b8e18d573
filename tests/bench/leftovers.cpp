// What a start costs where many runs were left unfinished, which nobody recovers since nobody takes their lock.
#include "driver.hpp"
#include "held.hpp"
#include "journal/record.hpp"
#include "parts.hpp"
#include "processes.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <stdexcept>

namespace finally_run::bench {

namespace {

namespace fs = std::filesystem;

std::string state_with(unsigned count) { return fmt::format("state-{}", count); }

std::vector<fs::path> journals_in(const fs::path& state) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(state / ".runs")) {
        if (entry.path().extension() == ".journal") {
            found.push_back(entry.path());
        }
    }
    return found;
}

// One run is killed with its guardian; the others are copies of it with ids of their own.
void leave_behind(const Place& place, unsigned count) {
    {
        Held run({FINALLY_RUN_BINARY, "--lock", "left", "--cleanup", "/usr/bin/true"},
                 place.environment({}, state_with(count)), place.null());
        const pid_t guardian = guardian_of(run.wrapper());
        ::kill(run.wrapper(), SIGSTOP); // it would replace its guardian
        ::kill(guardian, SIGKILL);
    }
    const auto left = journals_in(place.path(state_with(count)));
    if (left.size() != 1) {
        throw std::runtime_error("a killed run has left no journal");
    }
    std::ifstream file(left.front());
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    const auto decoded = journal::decode(bytes, 0);
    for (unsigned i = 1; i < count; ++i) {
        std::string copy;
        const std::string id = fmt::format("20200101T000000-{:08x}", i);
        for (const journal::Entry& entry : decoded.entries) {
            journal::Record record = entry.record;
            if (auto* const opened = std::get_if<journal::Opened>(&record)) {
                opened->run_id = id;
            }
            copy += journal::encode(record);
        }
        const fs::path path = left.front().parent_path() / (id + ".journal");
        std::ofstream(path) << copy;
        fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
    }
}

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
            leave_behind(place, count);
        }
        costs[count].first.add(talkative.start(bare, environment(count)));
    }
    std::mt19937 random(1);
    constexpr unsigned rounds = 10;
    for (unsigned round = 0; round < rounds; ++round) {
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
}

} // namespace finally_run::bench
