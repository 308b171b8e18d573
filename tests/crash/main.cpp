// Breaks runs at each of their system calls, and prints what became of them.
#include "budgets.hpp"
#include "campaign.hpp"
#include "processes.hpp"
#include "rules.hpp"
#include "scenarios.hpp"
#include "shots.hpp"
#include "table.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::crash {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view usage = "usage: crash_tests CAMPAIGN|rules|budgets [--row TEXT] [--point N] [--jobs N]\n"
                                   "  --row TEXT  the rows with this in their name\n"
                                   "  --point N   this point alone, and what came of it\n"
                                   "  --jobs N    so many trials at once\n"
                                   "campaigns:";

struct Options {
    std::string campaign;
    std::string row;
    unsigned point = no_shot.point;
    // Most of a trial is waiting.
    unsigned jobs = 6 * static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
};

// Nothing: it is no usage.
std::optional<Options> parse(const std::vector<std::string>& words) {
    if (words.size() % 2 == 0) {
        return std::nullopt;
    }
    Options options;
    options.campaign = words.front();
    for (std::size_t at = 1; at < words.size(); at += 2) {
        const std::string& value = words[at + 1];
        const auto number = static_cast<unsigned>(std::atoi(value.c_str()));
        if (words[at] == "--row") {
            options.row = value;
        } else if (words[at] == "--point") {
            options.point = number;
        } else if (words[at] == "--jobs" && number > 0) {
            options.jobs = number;
        } else {
            return std::nullopt;
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
constexpr unsigned explorations = 8;

std::vector<Job> exploring(const std::vector<Row>& rows) {
    std::vector<Job> jobs;
    for (const Row& row : rows) {
        jobs.insert(jobs.end(), explorations, {&row, no_shot});
    }
    return jobs;
}

// The points that the explorations have found.
std::vector<Job> shooting(const std::vector<Row>& rows, const std::vector<Outcome>& explored, unsigned only,
                          Table& table) {
    std::vector<Job> jobs;
    for (std::size_t number = 0; number < rows.size(); ++number) {
        const std::span all(explored.data() + number * explorations, explorations);
        const auto longest = std::max_element(all.begin(), all.end(), [](const Outcome& a, const Outcome& b) {
            return a.points.size() < b.points.size();
        });
        table.add_row(rows[number].name, *longest);
        for (const Outcome& outcome : all) {
            table.add_unbroken(number, outcome);
        }
        for (const Shot& shot : shots_of(rows[number], *longest)) {
            if (only == no_shot.point || only == shot.point) {
                jobs.push_back({&rows[number], shot});
            }
        }
    }
    return jobs;
}

void tell_cost(std::chrono::steady_clock::duration wall) {
    rusage used{};
    ::getrusage(RUSAGE_CHILDREN, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    std::printf("%.0f s, %.0f s of CPU\n", std::chrono::duration<double>(wall).count(),
                seconds(used.ru_utime) + seconds(used.ru_stime));
}

int run(const Options& options, const Campaign& campaign) {
    const auto start = std::chrono::steady_clock::now();
    std::vector<Row> rows = campaign.rows;
    std::erase_if(rows, [&](const Row& row) { return row.name.find(options.row) == std::string::npos; });
    const Directory directory;
    Table table;
    const auto explored = run_jobs(campaign.scenario, exploring(rows), directory.path(), options.jobs);
    const auto jobs = shooting(rows, explored, options.point, table);
    const auto outcomes = run_jobs(campaign.scenario, jobs, directory.path(), options.jobs);
    for (std::size_t number = 0; number < jobs.size(); ++number) {
        table.add(static_cast<std::size_t>(jobs[number].row - rows.data()), outcomes[number]);
        if (options.point != no_shot.point) {
            std::printf("%s\n", outcomes[number].details.c_str());
        }
    }
    table.print(!campaign.finds_fault);
    tell_cost(std::chrono::steady_clock::now() - start);
    return table.all_well() != campaign.finds_fault ? 0 : 1;
}

int main_or_throw(const std::vector<std::string>& words) {
    block_signals(); // in all workers, too
    const auto options = parse(words);
    if (options && options->campaign == "rules") {
        return check_rules() == 0 ? 0 : 1;
    }
    if (options && options->campaign == "budgets") {
        return check_budgets(Directory().path());
    }
    for (const Campaign& campaign : campaigns()) {
        if (options && options->campaign == campaign.name) {
            return run(*options, campaign);
        }
    }
    std::fputs(usage.data(), stderr);
    for (const Campaign& campaign : campaigns()) {
        std::fprintf(stderr, " %s", campaign.name.c_str());
    }
    std::fputs("\n", stderr);
    return 2;
}

} // namespace

} // namespace finally_run::crash

int main(int argc, char** argv) {
    try {
        return finally_run::crash::main_or_throw({argv + 1, argv + argc});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "crash_tests: %s\n", error.what());
        return 2;
    }
}
