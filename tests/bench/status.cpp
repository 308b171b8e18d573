// What it costs to be told of many runs, beside a list of their files.
#include "driver.hpp"
#include "left.hpp"
#include "parts.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <poll.h>
#include <stdexcept>

namespace finally_run::bench {

namespace {

constexpr unsigned most_runs = 1'000;

struct Beside {
    Series ls;
    Series status;
};

Beside ask(const Place& place, const Driver& driver, const std::string& state, unsigned rounds) {
    const Words environment = place.environment({}, state);
    const std::array<Words, 2> both{Words{"/usr/bin/ls", "-l", place.path(state) + "/.runs"},
                                    Words{FINALLY_RUN_BINARY, "--status"}};
    Beside beside;
    for (unsigned round = 0; round < rounds; ++round) {
        for (const std::size_t turn : {round % 2, 1 - round % 2}) {
            (turn == 0 ? beside.ls : beside.status).add(driver.start(both[turn], environment));
        }
    }
    return beside;
}

// Each has a lock of its own, and lives until `input` ends.
std::vector<Child> start_runs(const Place& place, const std::string& state, unsigned count, int input) {
    std::vector<Child> runs;
    for (unsigned i = 0; i < count; ++i) {
        runs.emplace_back(Words{FINALLY_RUN_BINARY, "--lock", fmt::format("lock-{}", i), "--cleanup", "/usr/bin/true",
                                BENCH_HELPER, "hold"},
                          place.environment({}, state), std::array{input, place.null(), place.errors()});
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(5);
    while (journals_in(place.path(state)).size() < count) {
        if (std::chrono::steady_clock::now() > end) {
            throw std::runtime_error("a run never began");
        }
        ::poll(nullptr, 0, 10);
    }
    return runs;
}

} // namespace

void status(const Place& place, const Extent& extent, Report& report) {
    const Driver driver(place.errors());
    const unsigned count = std::min(extent.most, most_runs);
    const unsigned rounds = std::max(3U, extent.rounds / 10);
    Table table{
        "status: --status, and ls -l of the directory", {{"runs"}, {"ls -l ms"}, {"ms"}, {"beside ls"}, {"CPU"}}, {}};
    const auto add = [&](const std::string& name, const Beside& beside) {
        const Ratio ratio = paired_ratio(beside.status.milliseconds, beside.ls.milliseconds);
        const double cpu = paired_ratio(beside.status.cpu, beside.ls.cpu).median;
        table.rows.push_back(
            {name, median(beside.ls.milliseconds), median(beside.status.milliseconds), ratio.median, cpu});
        report.add(Goal{fmt::format("--status with {} beside ls -l", name), 5, ratio, cpu});
    };
    leave_behind(place, "left", count);
    add(fmt::format("{} unfinished runs", count), ask(place, driver, "left", rounds));

    Pipe hold = make_pipe();
    auto runs = start_runs(place, "alive", count, hold.read.get());
    add(fmt::format("{} runs with a lock each", count), ask(place, driver, "alive", rounds));
    hold.write.reset();
    for (Child& run : runs) {
        run.wait();
    }
    place.expect_silence();
    report.add(std::move(table));
}

} // namespace finally_run::bench
