// Which runs are meant by the words of --recover, --stop and --forget.
#pragma once

#include "journal/record.hpp"
#include "journal/runs.hpp"
#include "report/messages.hpp"

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace finally_run::action {

struct NoSuchRun {};

struct Ambiguous {
    std::string ids; // of all that are meant: "a, b"
};

// The run with this id, or the only one whose id begins like this.
[[nodiscard]] std::variant<journal::Item, NoSuchRun, Ambiguous> find_run(std::string_view word,
                                                                         std::span<const journal::Item> items);

struct FoundRuns {
    std::vector<journal::Item> runs; // each once
    bool complete = true;            // false: what is wrong with some word has been said
};

// All of them if no word is given.
[[nodiscard]] FoundRuns find_runs(std::span<const std::string> words, std::vector<journal::Item> items,
                                  report::Messages& messages);

// The same, and for the words that mean none of them the runs that are over and of which it is known how they ended.
[[nodiscard]] FoundRuns find_runs_or_ended(std::span<const std::string> words, const journal::Runs& runs,
                                           const std::filesystem::path& state_dir, report::Messages& messages);

// "its command still runs, pid 12", and what --recover does about it: "ends it and cleans up".
struct StillRuns {
    std::string what;
    std::string recovery;
};
[[nodiscard]] StillRuns still_runs(const journal::Started& step);

// Whether it is such a run, of which that is said then. `state_dir`: as it was given.
[[nodiscard]] bool is_said_to_be_over(const journal::Item& item, const journal::Runs& runs, std::string_view state_dir,
                                      report::Messages& messages);

} // namespace finally_run::action
