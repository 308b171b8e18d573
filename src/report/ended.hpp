// How a run ended that did not end well under its supervisor: for --status, and for the log of its cleanups.
#pragma once

#include "journal/state.hpp"
#include "plan/cleanup.hpp"
#include "plan/result.hpp"

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace finally_run::report {

// All text is foreign and raw. An empty one is not known.
struct EndedRun {
    struct Cleanup {
        std::string kind; // "cleanup", "on-success", "on-failure", "remove", "temp-dir"
        std::string text;
        std::string error; // why it failed; empty: it succeeded
    };

    std::string id;
    std::string command;
    std::string directory;
    std::string host;
    std::string job_url;
    std::string log; // a file with what was said meanwhile
    std::chrono::system_clock::time_point started;
    std::chrono::system_clock::time_point ended; // the epoch: not yet
    plan::Ending ending;
    bool lock_lost = false; // at its engine, perhaps after the command
    plan::Actor by = plan::Actor::supervisor;
    std::vector<Cleanup> cleanups; // that ran, in their order
};

[[nodiscard]] EndedRun ended_run(const journal::State& state);

// "cleaned up by its guardian 2m05s ago, 3 of 3 cleanups succeeded, output in /path"
[[nodiscard]] std::string how_it_ended(const EndedRun& run, std::chrono::system_clock::time_point now);

// One line for each, cut to `columns`, but for the path of its log; only the first ones, unless `all`.
[[nodiscard]] std::string ended_lines(std::span<const EndedRun> runs, std::chrono::system_clock::time_point now,
                                      std::size_t columns, bool all);

// What the log of a run begins with: who, what, where and when.
[[nodiscard]] std::string log_head(const journal::Opened& opened);

} // namespace finally_run::report
