// What a start costs: whole processes, in a random order within each round.
#include "driver.hpp"
#include "held.hpp"
#include "parts.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <numeric>
#include <random>
#include <sys/stat.h>

namespace finally_run::bench {

namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 2> locales{"C.UTF-8", ""};

struct Contender {
    std::string name;
    Words words;
    bool ours = false;     // finally-run
    bool in_a_run = false; // with the environment of a run that is alive
    int starts = 1;        // how often in a round, as one
    Words variables = {};  // of its own
};

// Their names, where a goal compares them.
namespace name {
constexpr const char* twice = "true, twice";
constexpr const char* flock = "flock";
constexpr const char* flock_trap = "flock + sh trap";
constexpr const char* tini = "tini -s";
constexpr const char* dumb_init = "dumb-init";
constexpr const char* bare = "finally-run";
constexpr const char* lock = "finally-run --lock";
constexpr const char* lock_cleanup = "... --lock --cleanup";
constexpr const char* lock_remove = "... --lock --remove";
constexpr const char* defer = "... --defer";
constexpr const char* sh_service = "sh, service";
constexpr const char* service = "... --service";
constexpr const char* sh_engine = "sh, engine lock";
constexpr const char* engine = "... --lock file:NAME";
} // namespace name

// What is removed by every one that removes a file. It has to be there.
std::string victim(const Place& place) { return place.path("victim"); }

std::vector<Contender> contenders(const Place& place) {
    const std::string lock = place.path("lock");
    const std::string file = victim(place);
    const std::string ours = FINALLY_RUN_BINARY;
    const std::string trap = "trap 'rm -f " + file + "' EXIT; true";
    const std::string python =
        "import os, subprocess\ntry:\n    subprocess.run(['true'])\nfinally:\n    os.remove('" + file + "')\n";
    const std::string service =
        "sleep 60 & service=$!; trap 'kill $service; wait $service 2>/dev/null' EXIT; /usr/bin/true";
    const std::string helper = fmt::format("{0}/finally-run-lock-file", fs::path(ours).parent_path().native());
    const std::string to = place.path("to");
    const std::string from = place.path("from");
    const std::string engine = fmt::format("{0} by-hand <{1} >{2} & exec 8>{1} 9<{2}; read -r held <&9; "
                                           "echo begin >&8; /usr/bin/true; echo clean >&8; exec 8>&-; "
                                           "read -r end <&9; wait",
                                           helper, to, from);
    const Words files{"LOCK_FILES=" + fs::path(lock).parent_path().native()};
    ::mkfifo(to.c_str(), 0600);
    ::mkfifo(from.c_str(), 0600);
    return {
        {"true", {"/usr/bin/true"}},
        {name::twice, {"/usr/bin/true"}, false, false, 2},
        {"vfork wrapper", {BENCH_WRAPPER, "true"}},
        {name::flock, {"/usr/bin/flock", lock, "true"}},
        {"timeout", {"/usr/bin/timeout", "60", "true"}},
        {name::tini, {"/usr/bin/tini", "-s", "true"}},
        {name::dumb_init, {"/usr/bin/dumb-init", "true"}},
        {"sh trap", {"/bin/sh", "-c", trap}},
        {name::flock_trap, {"/usr/bin/flock", lock, "sh", "-c", trap}},
        {"python3 finally", {"/usr/bin/python3", "-c", python}},
        {name::bare, {ours, "true"}, true},
        {name::lock, {ours, "--lock", "bench", "true"}, true},
        {name::lock_cleanup, {ours, "--lock", "bench", "--cleanup", "rm -f " + file, "true"}, true},
        {name::lock_remove, {ours, "--lock", "bench", "--remove", file, "true"}, true},
        {name::defer, {ours, "--defer", "/usr/bin/true"}, true, true},
        {name::sh_service, {"/bin/sh", "-c", service}},
        {name::service, {ours, "--service", "sleep 60", "true"}, true},
        {name::sh_engine, {"/bin/sh", "-c", engine}, false, false, 1, files},
        {name::engine, {ours, "--lock", "file:bench", "true"}, true, false, 1, files},
    };
}

using All = std::map<std::string, Series>; // of one locale, by the name of the contender

void measure(const Place& place, const Driver& driver, const Contender& contender, const Words& environment,
             Series& series) {
    Sample sum;
    for (int i = 0; i < contender.starts; ++i) {
        static_cast<void>(open_file(victim(place), O_WRONLY | O_CREAT));
        const Sample sample = driver.start(contender.words, environment);
        sum.nanoseconds += sample.nanoseconds;
        sum.cpu_microseconds += sample.cpu_microseconds;
        sum.peak_kib = std::max(sum.peak_kib, sample.peak_kib);
        sum.faults += sample.faults;
    }
    series.add(sum);
}

std::array<All, locales.size()> measure_all(const Place& place, const std::vector<Contender>& all, unsigned rounds) {
    const Driver driver(place.errors());
    // In a state directory of its own: a start looks at the journals of all runs that are alive.
    Held run({FINALLY_RUN_BINARY}, place.environment({}, "outer"), place.errors());
    std::mt19937 random(1); // the same order each time
    std::vector<std::size_t> order(all.size() * locales.size());
    std::iota(order.begin(), order.end(), 0U);
    std::array<All, locales.size()> series;
    constexpr unsigned warm_up = 3;
    for (unsigned round = 0; round < rounds + warm_up; ++round) {
        if (round == warm_up) {
            series = {};
        }
        std::ranges::shuffle(order, random);
        for (const std::size_t turn : order) {
            const Contender& contender = all[turn / locales.size()];
            const std::size_t locale = turn % locales.size();
            Words environment = place.environment(locales[locale]);
            environment.insert(environment.end(), contender.variables.begin(), contender.variables.end());
            if (contender.in_a_run) {
                environment.insert(environment.end(), run.run_variables().begin(), run.run_variables().end());
            }
            measure(place, driver, contender, environment, series[locale][contender.name]);
        }
    }
    run.wait();
    place.expect_silence();
    return series;
}

Table costs(const std::vector<Contender>& all, All& series, const std::string& where) {
    Table table{"start: what a whole process costs" + where,
                {{"contender"},
                 {"median ms", 3},
                 {"p10 ms", 3},
                 {"p90 ms", 3},
                 {"CPU ms", 3},
                 {"peak KiB", 0},
                 {"page faults", 0}},
                {}};
    for (const Contender& contender : all) {
        const Series& its = series[contender.name];
        table.rows.push_back({contender.name, median(its.milliseconds), quantile(its.milliseconds, 0.1),
                              quantile(its.milliseconds, 0.9), median(its.cpu), median(its.peak), median(its.faults)});
    }
    return table;
}

Table ratios(const std::vector<Contender>& all, All& series, const std::string& where) {
    Table table{
        "start: finally-run's time divided by that of each peer, round by round, the median" + where, {{"beside"}}, {}};
    for (const Contender& contender : all) {
        if (contender.ours) {
            table.columns.push_back({contender.name});
        }
    }
    for (const Contender& peer : all) {
        if (peer.ours) {
            continue;
        }
        auto& row = table.rows.emplace_back(std::vector<Cell>{peer.name});
        for (const Contender& contender : all) {
            if (contender.ours) {
                const auto& theirs = series[peer.name].milliseconds;
                row.emplace_back(paired_ratio(series[contender.name].milliseconds, theirs).median);
            }
        }
    }
    return table;
}

void add_goals(All& series, const std::string& where, Report& report) {
    const auto goal = [&](const char* ours, const char* theirs, double limit) {
        report.add(Goal{fmt::format("{} beside {}{}", ours, theirs, where), limit,
                        paired_ratio(series[ours].milliseconds, series[theirs].milliseconds),
                        paired_ratio(series[ours].cpu, series[theirs].cpu).median});
    };
    goal(name::lock, name::flock, 0.90);
    goal(name::lock_cleanup, name::flock_trap, 0.75);
    goal(name::lock_remove, name::flock_trap, 0.50);
    goal(name::bare, name::tini, 0.95);
    goal(name::bare, name::dumb_init, 1.0);
    goal(name::defer, name::twice, 1.0);
    goal(name::service, name::sh_service, 1.0);
    goal(name::engine, name::sh_engine, 1.0);
}

} // namespace

void start(const Place& place, const Extent& extent, Report& report) {
    const auto all = contenders(place);
    auto series = measure_all(place, all, extent.rounds);
    for (std::size_t i = 0; i < locales.size(); ++i) {
        const std::string where = *locales[i] != '\0' ? fmt::format(", LANG={}", locales[i]) : ", LANG not set";
        report.add(costs(all, series[i], where));
        report.add(ratios(all, series[i], where));
        add_goals(series[i], where, report);
    }
}

} // namespace finally_run::bench
