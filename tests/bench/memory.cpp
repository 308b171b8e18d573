// What those take who wait for a lock, and those who watch over a command.
#include "held.hpp"
#include "parts.hpp"
#include "processes.hpp"

#include <array>
#include <functional>
#include <poll.h>

namespace finally_run::bench {

namespace {

constexpr unsigned rounds = 3;

struct Subject {
    const char* name;
    std::function<Memory()> look;
};

// After it has said who holds the lock, which is after a second.
Memory of_waiter(const Place& place, Words words, const std::string& lock) {
    Held holder({"/usr/bin/flock", lock}, place.environment(), place.errors());
    words.emplace_back("true");
    Child waiter(words, place.environment(), {place.null(), place.null(), place.null()});
    await_waiter(lock, waiter.pid());
    ::poll(nullptr, 0, 1500);
    const Memory memory = memory_of(waiter.pid());
    holder.wait();
    waiter.wait();
    return memory;
}

// While a command runs.
Memory of_wrapper(const Place& place, const Words& words, bool guardian = false) {
    Held run(words, place.environment(), place.errors());
    const Memory memory = memory_of(guardian ? guardian_of(run.wrapper()) : run.wrapper());
    run.wait();
    return memory;
}

} // namespace

void memory(const Place& place, const Extent& /*extent*/, Report& report) {
    const std::string lock = place.path("lock");
    const Words flock{"/usr/bin/flock", lock};
    const Words ours{FINALLY_RUN_BINARY, "--lock", lock, "--cleanup", "/usr/bin/true"};
    const std::array subjects{
        Subject{"flock waits for a lock", [&] { return of_waiter(place, flock, lock); }},
        Subject{"finally-run waits for a lock", [&] { return of_waiter(place, ours, lock); }},
        Subject{"flock while a command runs", [&] { return of_wrapper(place, flock); }},
        Subject{"tini -s while a command runs",
                [&] {
                    return of_wrapper(place, {"/usr/bin/tini", "-s"});
                }},
        Subject{"dumb-init while a command runs", [&] { return of_wrapper(place, {"/usr/bin/dumb-init"}); }},
        Subject{"supervisor while a command runs", [&] { return of_wrapper(place, ours); }},
        Subject{"guardian while a command runs", [&] { return of_wrapper(place, ours, true); }},
    };
    struct Series {
        std::vector<double> resident;
        std::vector<double> proportional;
        std::vector<double> private_dirty;
    };
    std::array<Series, subjects.size()> seen;
    for (unsigned round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < subjects.size(); ++i) {
            const Memory memory = subjects[i].look();
            seen[i].resident.push_back(memory.resident);
            seen[i].proportional.push_back(memory.proportional);
            seen[i].private_dirty.push_back(memory.private_dirty);
        }
    }
    place.expect_silence();
    Table table{"memory: of one process, in KiB", {{"who"}, {"resident", 0}, {"PSS", 0}, {"private dirty", 0}}, {}};
    for (std::size_t i = 0; i < subjects.size(); ++i) {
        table.rows.push_back(
            {subjects[i].name, median(seen[i].resident), median(seen[i].proportional), median(seen[i].private_dirty)});
    }
    report.add(std::move(table));
    report.add(Goal{"private dirty memory of a waiter beside flock", 1.5,
                    paired_ratio(seen[1].private_dirty, seen[0].private_dirty)});
}

} // namespace finally_run::bench
