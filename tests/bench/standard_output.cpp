// What it costs a command to write a lot while it is wrapped: nothing, since its stdout is handed to it as it is.
#include "parts.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <stdexcept>
#include <unistd.h>

namespace finally_run::bench {

namespace {

constexpr long long amount = 1LL << 30;
constexpr unsigned pours = 15;
constexpr double equal = 1.05; // as far as two rounds without a wrapper are equal

struct Poured {
    std::vector<double> milliseconds;
    std::vector<double> cpu; // of the writing side, milliseconds
};

void pour(const Place& place, Words words, Poured& cost) {
    words.insert(words.end(), {BENCH_HELPER, "pour", std::to_string(amount)});
    static std::array<char, 65536> block;
    Pipe pipe = make_pipe();
    const auto start = std::chrono::steady_clock::now();
    Child child(words, place.environment(), {place.null(), pipe.write.get(), place.errors()});
    pipe.write.reset();
    long long seen = 0;
    for (ssize_t got = 1; got > 0; seen += got) {
        got = ::read(pipe.read.get(), block.data(), block.size());
    }
    cost.cpu.push_back(child.wait() * 1e3);
    const std::chrono::duration<double, std::milli> whole = std::chrono::steady_clock::now() - start;
    cost.milliseconds.push_back(whole.count());
    if (seen != amount) {
        throw std::runtime_error(fmt::format("{} bytes of {} came through", seen, amount));
    }
}

} // namespace

void standard_output(const Place& place, const Extent& /*extent*/, Report& report) {
    const std::array<const char*, 3> names{"no wrapper", "finally-run", "... --lock --cleanup"};
    const std::array<Words, 3> wrappers{
        Words{}, {FINALLY_RUN_BINARY}, {FINALLY_RUN_BINARY, "--lock", "bench", "--cleanup", "/usr/bin/true"}};
    std::array<Poured, 3> costs;
    std::array<std::size_t, 3> order{0, 1, 2};
    std::mt19937 random(1);
    for (unsigned round = 0; round < pours; ++round) {
        std::ranges::shuffle(order, random);
        for (const std::size_t turn : order) {
            pour(place, wrappers[turn], costs[turn]);
        }
    }
    place.expect_silence();
    Table table{"stdout: 1 GiB through a pipe",
                {{"wrapper"}, {"median ms"}, {"p10 ms"}, {"p90 ms"}, {"CPU ms"}, {"beside none", 3}},
                {}};
    for (std::size_t i = 0; i < names.size(); ++i) {
        const auto& its = costs[i].milliseconds;
        const Ratio ratio = paired_ratio(its, costs[0].milliseconds);
        table.rows.push_back(
            {names[i], median(its), quantile(its, 0.1), quantile(its, 0.9), median(costs[i].cpu), ratio.median});
        if (i > 0) {
            report.add(Goal{fmt::format("1 GiB to stdout under {} beside no wrapper", names[i]), equal, ratio,
                            paired_ratio(costs[i].cpu, costs[0].cpu).median});
        }
    }
    report.add(std::move(table));
}

} // namespace finally_run::bench
