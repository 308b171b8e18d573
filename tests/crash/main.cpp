// Breaks runs at each of their system calls, and prints what became of them.
#include "campaign.hpp"
#include "processes.hpp"
#include "rules.hpp"
#include "scenarios.hpp"
#include "shots.hpp"
#include "table.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::crash {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view usage =
    "usage: crash_tests kills|failures|baseline|rules [--every N] [--jobs N] [--row TEXT] [--point N] [--all 1]\n"
    "  --every N   one trial of N\n"
    "  --row TEXT  the rows with this in their name\n"
    "  --point N   this point alone, and what came of it\n"
    "  --all 1     what came of each trial that went wrong\n";

struct Options {
    std::string mode;
    unsigned every = 1;
    unsigned jobs = std::max(4U, 3 * static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_ONLN)));
    std::string row;
    unsigned point = no_shot.point;
    bool all = false;
};

Options parse(int argc, char** argv) {
    Options options;
    options.mode = argc > 1 ? argv[1] : "";
    for (int at = 2; at + 1 < argc; at += 2) {
        const std::string_view name = argv[at];
        const auto number = static_cast<unsigned>(std::atoi(argv[at + 1]));
        if (name == "--every") {
            options.every = std::max(1U, number);
        } else if (name == "--jobs") {
            options.jobs = std::max(1U, number);
        } else if (name == "--row") {
            options.row = argv[at + 1];
        } else if (name == "--point") {
            options.point = number;
        } else if (name == "--all") {
            options.all = number != 0;
        }
    }
    return options;
}

class Directory {
public:
    Directory() {
        std::string pattern = (fs::temp_directory_path() / "finally-run-crash-XXXXXX").native();
        if (::mkdtemp(pattern.data()) == nullptr) {
            throw std::runtime_error("mkdtemp " + pattern);
        }
        m_path = pattern;
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() {
        std::error_code ignored;
        fs::remove_all(m_path, ignored);
    }
    [[nodiscard]] const fs::path& path() const { return m_path; }

private:
    fs::path m_path;
};

// The run is not the same to the call each time: as many points as the longest of several had.
constexpr unsigned explorations = 4;

int run(const Options& options, const Scenario& scenario, std::vector<Row> rows) {
    std::erase_if(rows, [&](const Row& row) { return row.name.find(options.row) == std::string::npos; });
    const Directory directory;
    fs::create_symlink(FINALLY_RUN_CRASH_HELPER, directory.path() / "crash_helper");
    std::vector<Job> jobs;
    for (const Row& row : rows) {
        jobs.insert(jobs.end(), explorations, {&row, no_shot});
    }
    Table table;
    const auto explored = run_jobs(scenario, jobs, directory.path(), options.jobs);
    jobs.clear();
    for (std::size_t number = 0; number < rows.size(); ++number) {
        const auto* const first = explored.data() + number * explorations;
        const Outcome& longest = *std::max_element(
            first, first + explorations, [](const Outcome& a, const Outcome& b) { return a.points < b.points; });
        table.add_row(rows[number].name, longest);
        for (unsigned again = 0; again < explorations; ++again) {
            table.add_unbroken(number, first[again]);
        }
        const std::vector<Shot> shots = shots_of(rows[number], longest);
        for (std::size_t shot = 0; shot < shots.size(); ++shot) {
            const bool wanted =
                options.point == no_shot.point ? shot % options.every == 0 : shots[shot].point == options.point;
            if (wanted) {
                jobs.push_back({&rows[number], shots[shot]});
            }
        }
    }
    const auto outcomes = run_jobs(scenario, jobs, directory.path(), options.jobs);
    for (std::size_t number = 0; number < jobs.size(); ++number) {
        const auto row = static_cast<std::size_t>(jobs[number].row - rows.data());
        table.add(row, outcomes[number]);
        if (options.point != no_shot.point || (options.all && outcomes[number].faults.any())) {
            std::printf("%s\n", outcomes[number].details.c_str());
        }
    }
    table.print(options.mode != "baseline");
    if (options.mode == "failures") {
        std::printf("left out: calls of the C library before main\n");
    }
    return table.all_well() ? 0 : 1;
}

int main_or_throw(const Options& options) {
    block_signals(); // in all workers, too
    if (options.mode == "kills") {
        return run(options, FinallyRun(), rows_of_kills());
    }
    if (options.mode == "failures") {
        return run(options, FinallyRun(), rows_of_failures());
    }
    if (options.mode == "baseline") {
        // These tests can fail: they find fault with what keeps no promise.
        return run(options, FlockAndTrap(), rows_of_baseline()) == 1 ? 0 : 1;
    }
    if (options.mode == "rules") {
        return check_rules() == 0 ? 0 : 1;
    }
    std::fputs(usage.data(), stderr);
    return 2;
}

} // namespace

} // namespace finally_run::crash

int main(int argc, char** argv) {
    try {
        return finally_run::crash::main_or_throw(finally_run::crash::parse(argc, argv));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "crash_tests: %s\n", error.what());
        return 2;
    }
}
