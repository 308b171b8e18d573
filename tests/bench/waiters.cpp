// One lock and many who wait for it, under flock(1) and under finally-run.
#include "held.hpp"
#include "helper/stamp.hpp"
#include "parts.hpp"
#include "processes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <unistd.h>

namespace finally_run::bench {

namespace {

constexpr unsigned most_waiters = 1'000;

struct Turn {
    std::vector<double> gaps; // milliseconds from the end of one command to the beginning of the next
    double out_of_turn = 0;   // who had the lock after somebody that came later
    double cpu = 0;           // milliseconds, of each run
    double idle_cpu = 0;      // milliseconds a second, of all waiters, while nothing happens
};

std::vector<Stamp> read_stamps(const std::string& path, std::size_t count) {
    std::vector<Stamp> stamps(count);
    const os::Fd file = open_file(path, O_RDONLY);
    const auto size = static_cast<ssize_t>(count * sizeof(Stamp));
    if (::read(file.get(), stamps.data(), static_cast<std::size_t>(size)) != size) {
        throw std::runtime_error("a waiter never had the lock");
    }
    ::unlink(path.c_str());
    std::ranges::sort(stamps, {}, &Stamp::begin);
    return stamps;
}

double cpu_of_all(const std::vector<Child>& children) {
    double sum = 0;
    for (const Child& child : children) {
        sum += cpu_of(child.pid());
    }
    return sum;
}

// After everybody has said who holds the lock, which is after a second.
double idle_cpu(const std::vector<Child>& children) {
    ::poll(nullptr, 0, 2000);
    const double before = cpu_of_all(children);
    ::poll(nullptr, 0, 1000);
    return cpu_of_all(children) - before;
}

Turn take_turns(const Place& place, const Words& wrapper, const std::string& lock, unsigned count, bool idle) {
    const std::string file = place.path("stamps");
    const Words environment = place.environment();
    Held holder(wrapper, environment, place.errors(), {file, "0"});
    std::vector<Child> children;
    for (unsigned i = 1; i <= count; ++i) {
        Words words = wrapper;
        words.insert(words.end(), {BENCH_HELPER, "stamp", file, std::to_string(i)});
        children.emplace_back(words, environment, Standard{place.null(), place.null(), place.null()});
        await_waiter(lock, children.back().pid());
    }
    Turn turn;
    if (idle) {
        turn.idle_cpu = idle_cpu(children);
    }
    holder.wait();
    for (Child& child : children) {
        turn.cpu += child.wait() * 1e3 / count;
    }
    const auto stamps = read_stamps(file, count + 1);
    std::int64_t latest = 0;
    for (std::size_t i = 1; i < stamps.size(); ++i) {
        turn.gaps.push_back(static_cast<double>(stamps[i].begin - stamps[i - 1].end) / 1e6);
        turn.out_of_turn += stamps[i].number < latest ? 1 : 0;
        latest = std::max(latest, stamps[i].number);
    }
    return turn;
}

unsigned rounds_of(unsigned count) { return std::max(count < most_waiters ? 3U : 2U, 30 / count); }

} // namespace

void waiters(const Place& place, const Extent& extent, Report& report) {
    const std::string lock = place.path("lock");
    const std::array<Words, 2> wrappers{Words{"/usr/bin/flock", lock}, Words{FINALLY_RUN_BINARY, "--lock", lock}};
    const std::array<const char*, 2> names{"flock", "finally-run"};
    Table table{"waiters: from the end of one command to the beginning of the next",
                {{"waiters"},
                 {"under"},
                 {"median ms", 3},
                 {"p10 ms", 3},
                 {"p90 ms", 3},
                 {"beside flock"},
                 {"out of turn", 0},
                 {"CPU ms each", 3},
                 {"idle CPU ms/s of all", 3}},
                {}};
    for (const unsigned count : powers_of_ten(std::min(extent.most, most_waiters))) {
        std::array<std::vector<double>, 2> medians;
        std::array<std::vector<double>, 2> cpu;
        std::array<std::vector<double>, 2> gaps;
        std::array<double, 2> out_of_turn{};
        std::array<double, 2> idle{};
        for (unsigned round = 0; round < rounds_of(count); ++round) {
            for (const std::size_t turn : {round % 2, 1 - round % 2}) {
                const Turn its = take_turns(place, wrappers[turn], lock, count, round == 0);
                medians[turn].push_back(median(its.gaps));
                cpu[turn].push_back(its.cpu);
                gaps[turn].insert(gaps[turn].end(), its.gaps.begin(), its.gaps.end());
                out_of_turn[turn] += its.out_of_turn;
                idle[turn] += its.idle_cpu;
            }
        }
        const Ratio ratio = paired_ratio(medians[1], medians[0]);
        for (const std::size_t turn : {0U, 1U}) {
            table.rows.push_back({std::to_string(count), names[turn], median(gaps[turn]), quantile(gaps[turn], 0.1),
                                  quantile(gaps[turn], 0.9), turn == 0 ? 1.0 : ratio.median, out_of_turn[turn],
                                  median(cpu[turn]), idle[turn]});
        }
        report.add(Goal{fmt::format("hand-over among {} waiters beside flock", count), 1.1, ratio,
                        paired_ratio(cpu[1], cpu[0]).median});
    }
    place.expect_silence();
    report.add(std::move(table));
}

} // namespace finally_run::bench
