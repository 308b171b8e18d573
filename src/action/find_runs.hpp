// Which runs are meant by the words of --recover, --stop and --forget.
#pragma once

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

// Adds the runs that are over, and of which it is known how they ended, for the words that mean no other run.
void add_ended(std::span<const std::string> words, const std::filesystem::path& state_dir,
               std::vector<journal::Item>& items);

struct FoundRuns {
    std::vector<journal::Item> runs; // each once
    bool complete = true;            // false: what is wrong with some word has been said
};

// All of them if no word is given.
[[nodiscard]] FoundRuns find_runs(std::span<const std::string> words, std::vector<journal::Item> items,
                                  report::Messages& messages);

} // namespace finally_run::action
