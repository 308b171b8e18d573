// What those take who wait for a lock, and those who watch over a command.
#include "held.hpp"
#include "parts.hpp"
#include "processes.hpp"

#include <poll.h>

namespace finally_run::bench {

namespace {

constexpr unsigned rounds = 3;

struct Series {
    std::vector<double> resident;
    std::vector<double> proportional;
    std::vector<double> private_dirty;

    void add(const Memory& memory) {
        resident.push_back(memory.resident);
        proportional.push_back(memory.proportional);
        private_dirty.push_back(memory.private_dirty);
    }
};

// After it has said who holds the lock, which is after a second.
Memory of_waiter(const Place& place, Words wrapper, const std::string& lock) {
    Held holder({"/usr/bin/flock", lock}, place.environment(), place.errors());
    wrapper.emplace_back("true");
    Child waiter(wrapper, place.environment(), {place.null(), place.null(), place.null()});
    await_waiter(lock, waiter.pid());
    ::poll(nullptr, 0, 1500);
    const Memory memory = memory_of(waiter.pid());
    holder.wait();
    waiter.wait();
    return memory;
}

Memory of_wrapper(const Place& place, const Words& wrapper) {
    Held run(wrapper, place.environment(), place.errors());
    const Memory memory = memory_of(run.wrapper());
    run.wait();
    return memory;
}

} // namespace

void memory(const Place& place, const Extent& /*extent*/, Report& report) {
    const std::string lock = place.path("lock");
    const Words flock{"/usr/bin/flock", lock};
    const Words ours{FINALLY_RUN_BINARY, "--lock", lock};
    Series flock_waits;
    Series we_wait;
    Series flock_runs;
    Series tini_runs;
    Series dumb_init_runs;
    Series supervisor;
    Series guardian;
    for (unsigned round = 0; round < rounds; ++round) {
        flock_waits.add(of_waiter(place, flock, lock));
        we_wait.add(of_waiter(place, ours, lock));
        flock_runs.add(of_wrapper(place, flock));
        tini_runs.add(of_wrapper(place, {"/usr/bin/tini", "-s"}));
        dumb_init_runs.add(of_wrapper(place, {"/usr/bin/dumb-init"}));
        Held run({FINALLY_RUN_BINARY, "--lock", lock, "--cleanup", "/usr/bin/true"}, place.environment(),
                 place.errors());
        supervisor.add(memory_of(run.wrapper()));
        guardian.add(memory_of(guardian_of(run.wrapper())));
        run.wait();
    }
    place.expect_silence();

    Table table{"memory: of one process, in KiB", {{"who"}, {"resident", 0}, {"PSS", 0}, {"private dirty", 0}}, {}};
    const auto row = [&](const char* who, const Series& its) {
        table.rows.push_back({who, median(its.resident), median(its.proportional), median(its.private_dirty)});
    };
    row("flock waits for a lock", flock_waits);
    row("finally-run waits for a lock", we_wait);
    row("flock while a command runs", flock_runs);
    row("tini -s while a command runs", tini_runs);
    row("dumb-init while a command runs", dumb_init_runs);
    row("supervisor while a command runs", supervisor);
    row("guardian while a command runs", guardian);
    report.add(std::move(table));
    report.add(Goal{"private dirty memory while waiting beside flock", 1.5,
                    paired_ratio(we_wait.private_dirty, flock_waits.private_dirty)});
}

} // namespace finally_run::bench
