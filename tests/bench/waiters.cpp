// One lock and many who wait for it, under flock(1) and under finally-run.
#include "held.hpp"
#include "parts.hpp"
#include "processes.hpp"
#include "small/data.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <unistd.h>

namespace finally_run::bench {

namespace {

constexpr unsigned most_waiters = 1'000;

// What was seen under one wrapper.
struct Queue {
    std::vector<double> gaps;    // milliseconds from the end of one command to the beginning of the next
    std::vector<double> medians; // of the gaps, one element a round
    std::vector<double> cpu;     // milliseconds of each run, one element a round
    double out_of_turn = 0;      // who had the lock after somebody that came later
    double idle_cpu = 0;         // milliseconds of all waiters in a second in which nothing happens
};

std::vector<Stamp> take_stamps(const std::string& path, std::size_t count) {
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

// One holder and `count` who come one after the other; then the lock goes through the queue.
void hand_over(const Place& place, const Words& wrapper, const std::string& lock, unsigned count, Queue& queue) {
    const std::string file = place.path("stamps");
    const Words environment = place.environment();
    Held holder(wrapper, environment, place.errors(), {file, "0"});
    std::vector<Child> children;
    for (unsigned i = 1; i <= count; ++i) {
        Words words = wrapper;
        words.insert(words.end(), {BENCH_HELPER, "hold", file, std::to_string(i)});
        children.emplace_back(words, environment, std::array{place.null(), place.null(), place.null()});
        await_waiter(lock, children.back().pid());
    }
    if (queue.medians.empty()) {
        queue.idle_cpu = idle_cpu(children);
    }
    holder.wait();
    double cpu = 0;
    for (Child& child : children) {
        cpu += child.wait() * 1e3 / count;
    }
    queue.cpu.push_back(cpu);
    const auto stamps = take_stamps(file, count + 1);
    std::vector<double> gaps;
    std::int64_t latest = 0;
    for (std::size_t i = 1; i < stamps.size(); ++i) {
        gaps.push_back(static_cast<double>(stamps[i].begin - stamps[i - 1].end) / 1e6);
        queue.out_of_turn += stamps[i].number < latest ? 1 : 0;
        latest = std::max(latest, stamps[i].number);
    }
    queue.medians.push_back(median(gaps));
    queue.gaps.insert(queue.gaps.end(), gaps.begin(), gaps.end());
}

unsigned rounds_of(unsigned count) { return count < most_waiters ? std::max(6U, 30 / count) : 3; }

void add_goals(unsigned count, const Queue& flock, const Queue& ours, Report& report) {
    report.add(Goal{fmt::format("hand-over among {} waiters beside flock", count), 1.1,
                    paired_ratio(ours.medians, flock.medians), paired_ratio(ours.cpu, flock.cpu).median});
    const auto none = [&](const char* what, double measured) {
        report.add(Goal{fmt::format("{} of {} waiters", what, count), 0, {measured, measured, measured}});
    };
    none("out of turn,", ours.out_of_turn);
    none("CPU ms a second while waiting,", ours.idle_cpu);
}

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
                 {"CPU ms/s of all while waiting", 3}},
                {}};
    const auto counts = powers_of_ten(std::min(extent.most, most_waiters));
    for (const unsigned count : counts) {
        std::array<Queue, 2> queues;
        for (unsigned round = 0; round < rounds_of(count); ++round) {
            for (const std::size_t turn : {round % 2, 1 - round % 2}) {
                hand_over(place, wrappers[turn], lock, count, queues[turn]);
            }
        }
        for (std::size_t i = 0; i < queues.size(); ++i) {
            const Queue& its = queues[i];
            table.rows.push_back({std::to_string(count), names[i], median(its.gaps), quantile(its.gaps, 0.1),
                                  quantile(its.gaps, 0.9), paired_ratio(its.medians, queues[0].medians).median,
                                  its.out_of_turn, median(its.cpu), its.idle_cpu});
        }
        if (count == counts.back()) {
            add_goals(count, queues[0], queues[1], report);
        }
    }
    place.expect_silence();
    report.add(std::move(table));
}

} // namespace finally_run::bench
