// The workers: each takes the next job until none is left, and writes what came of it into a file.
#include "campaign.hpp"

#include "place.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

namespace finally_run::crash {

namespace fs = std::filesystem;

namespace {

// A run has not the same calls each time: a point that did not come may come yet.
constexpr int chances = 3;

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

template <class Value> void put(std::FILE* file, const Value& value) { std::fwrite(&value, sizeof value, 1, file); }

template <class Value> bool get(std::FILE* file, Value& value) {
    return std::fread(&value, sizeof value, 1, file) == 1;
}

void put_outcome(std::FILE* file, std::size_t job, const Outcome& outcome) {
    put(file, job);
    put(file, outcome.reached);
    put(file, outcome.repeats);
    put(file, outcome.excused);
    put(file, outcome.faults.to_ulong());
    put(file, outcome.points.size());
    for (const Call& call : outcome.points) {
        put(file, call);
    }
    put(file, outcome.details.size());
    std::fwrite(outcome.details.data(), 1, outcome.details.size(), file);
}

void get_outcomes(std::FILE* file, std::vector<Outcome>& outcomes, std::size_t& received) {
    std::rewind(file);
    for (std::size_t job = 0; get(file, job);) {
        Outcome& outcome = outcomes.at(job);
        unsigned long faults = 0;
        std::size_t size = 0;
        get(file, outcome.reached);
        get(file, outcome.repeats);
        get(file, outcome.excused);
        get(file, faults);
        outcome.faults = Faults(faults);
        get(file, size);
        outcome.points.resize(size);
        for (Call& call : outcome.points) {
            get(file, call);
        }
        get(file, size);
        outcome.details.resize(size);
        received += std::fread(outcome.details.data(), 1, size, file) == size ? 1 : 0;
    }
}

void work(const Scenario& scenario, const std::vector<Job>& jobs, const fs::path& directory,
          std::atomic<std::size_t>& next, std::FILE* results) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    fs::create_directory(directory);
    fs::create_symlink(FINALLY_RUN_CRASH_HELPER, directory / "crash_helper");
    fs::create_symlink(FINALLY_RUN_CRASH_HELPER, directory / "finally-run-lock-crash");
    for (std::size_t number = next++; number < jobs.size(); number = next++) {
        const Job& job = jobs.at(number);
        Outcome outcome;
        for (int chance = 0; chance < chances && (chance == 0 || (outcome.missed && outcome.faults.none())); ++chance) {
            outcome = run_trial(scenario, *job.row, job.shot, directory / "trial");
        }
        put_outcome(results, number, outcome);
    }
    std::fflush(results);
    fs::remove_all(directory);
}

std::atomic<std::size_t>& shared_counter() {
    void* const memory =
        ::mmap(nullptr, sizeof(std::atomic<std::size_t>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        throw std::system_error(errno, std::generic_category(), "mmap");
    }
    return *new (memory) std::atomic<std::size_t>(0);
}

// Waits for all children.
void wait_for_all() {
    while (::wait(nullptr) > 0 || errno == EINTR) {
    }
}

} // namespace

std::vector<Outcome> run_jobs(const Scenario& scenario, const std::vector<Job>& jobs, const fs::path& directory,
                              unsigned workers) {
    std::atomic<std::size_t>& next = shared_counter();
    std::vector<File> results;
    for (unsigned number = 0; number < workers; ++number) {
        results.emplace_back(std::tmpfile(), std::fclose);
    }
    const auto start = [&](unsigned number) {
        const fs::path place = directory / std::to_string(number);
        fork_to([&, place, number] { work(scenario, jobs, place, next, results.at(number).get()); });
    };
    if (can_be_apart(directory)) {
        // A few together, so that processes which are none of a trial's concern come and go there, as anywhere.
        constexpr unsigned together = 3;
        for (unsigned first = 0; first < workers; first += together) {
            fork_apart_to(directory, [&, first] {
                for (unsigned number = first; number < std::min(first + together, workers); ++number) {
                    start(number);
                }
                wait_for_all();
            });
        }
    } else {
        std::fprintf(stderr, "crash_tests: this takes longer without namespaces\n");
        for (unsigned number = 0; number < workers; ++number) {
            start(number);
        }
    }
    wait_for_all();
    std::vector<Outcome> outcomes(jobs.size());
    std::size_t received = 0;
    for (const File& file : results) {
        get_outcomes(file.get(), outcomes, received);
    }
    ::munmap(&next, sizeof next);
    if (received != jobs.size()) {
        throw std::runtime_error(std::to_string(jobs.size() - received) + " trials were lost with their worker");
    }
    return outcomes;
}

} // namespace finally_run::crash
