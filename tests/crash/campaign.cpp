// The workers: each takes the next job until none is left, and writes what came of it into a file.
#include "campaign.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>

namespace finally_run::crash {

namespace fs = std::filesystem;

namespace {

template <class Value> void put(std::ofstream& file, const Value& value) {
    file.write(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class Value> bool get(std::ifstream& file, Value& value) {
    return static_cast<bool>(file.read(reinterpret_cast<char*>(&value), sizeof value));
}

void put_outcome(std::ofstream& file, std::size_t job, const Outcome& outcome) {
    put(file, job);
    put(file, outcome.reached);
    put(file, outcome.points);
    put(file, outcome.repeats);
    put(file, outcome.excused);
    put(file, outcome.faults.to_ulong());
    put(file, outcome.calls.size());
    for (const Call& call : outcome.calls) {
        put(file, call);
    }
    put(file, outcome.details.size());
    file << outcome.details;
}

void get_outcomes(const fs::path& path, std::vector<Outcome>& outcomes, std::size_t& received) {
    std::ifstream file(path, std::ios::binary);
    for (std::size_t job = 0; get(file, job); ++received) {
        Outcome& outcome = outcomes.at(job);
        unsigned long faults = 0;
        std::size_t size = 0;
        get(file, outcome.reached);
        get(file, outcome.points);
        get(file, outcome.repeats);
        get(file, outcome.excused);
        get(file, faults);
        outcome.faults = Faults(faults);
        get(file, size);
        outcome.calls.resize(size);
        for (Call& call : outcome.calls) {
            get(file, call);
        }
        get(file, size);
        outcome.details.resize(size);
        file.read(outcome.details.data(), static_cast<std::streamsize>(size));
    }
}

void work(const Scenario& scenario, const std::vector<Job>& jobs, const fs::path& directory,
          std::atomic<std::size_t>& next) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    std::ofstream results(directory.native() + ".results", std::ios::binary);
    for (std::size_t number = next++; number < jobs.size(); number = next++) {
        const Job& job = jobs.at(number);
        Outcome outcome = run_trial(scenario, *job.row, job.shot, directory);
        if (job.shot.point != no_shot.point) {
            outcome.calls.clear();
        }
        put_outcome(results, number, outcome);
    }
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

} // namespace

std::vector<Outcome> run_jobs(const Scenario& scenario, const std::vector<Job>& jobs, const fs::path& directory,
                              unsigned workers) {
    std::atomic<std::size_t>& next = shared_counter();
    std::fflush(nullptr);
    std::vector<fs::path> places;
    for (unsigned number = 0; number < workers; ++number) {
        places.push_back(directory / std::to_string(number));
        const pid_t pid = ::fork();
        if (pid < 0) {
            throw std::system_error(errno, std::generic_category(), "fork");
        }
        if (pid == 0) {
            try {
                work(scenario, jobs, places.back(), next);
                ::_exit(0);
            } catch (const std::exception& error) {
                std::fprintf(stderr, "crash_tests: %s\n", error.what());
                ::_exit(1);
            }
        }
    }
    while (::wait(nullptr) > 0 || errno == EINTR) {
    }
    std::vector<Outcome> outcomes(jobs.size());
    std::size_t received = 0;
    for (const fs::path& place : places) {
        get_outcomes(place.native() + ".results", outcomes, received);
    }
    ::munmap(&next, sizeof next);
    if (received != jobs.size()) {
        throw std::runtime_error(std::to_string(jobs.size() - received) + " trials were lost with their worker");
    }
    return outcomes;
}

} // namespace finally_run::crash
