// What --status shows: the values of each run, and their table and JSON.
#pragma once

#include "report/ended.hpp"
#include "report/run_lock.hpp"
#include "report/status_locks.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace finally_run::report {

// A run that is not over. All text is foreign and raw: it is made visible on its way out. An empty one is not known.
struct RunStatus {
    enum class State {
        running,
        suspended, // by Ctrl+Z or SIGSTOP, in its command or a setup
        setup,
        cleaning_up, // by the supervisor
        finishing,   // by the guardian or a recovery
        unfinished,  // everybody is dead: --recover finishes it
        failed,      // all is done but the cleanups that have failed: --recover tries them again
        damaged,     // its journal cannot be believed: nobody finishes it
    };
    struct Step {
        std::string kind; // "setup", "service", "cleanup", "on-success", "on-failure", "remove", "temp-dir"
        std::string text; // CMD or PATH; empty: not known

        bool operator==(const Step&) const = default;
    };
    struct Failure {
        Step step;
        std::string error; // why, in words
        std::optional<int> exit_code;
        int signal = 0;
        unsigned attempts = 0;
        std::chrono::system_clock::time_point time;
        std::string by; // "supervisor", "guardian", ...
    };

    std::string id;
    State state = State::running;
    pid_t pid = 0;                                 // whoever works on it; 0: nobody, or not known
    bool other_namespace = false;                  // ... which is why that is not known
    std::chrono::system_clock::time_point started; // the epoch: not known
    std::vector<RunLock> locks;                    // an unfinished run had them, all others have them
    std::vector<Step> cleanups;                    // that have not ended, in the order in which they run
    std::vector<Failure> failures;                 // of cleanups, the last of each, in the order in which they run
    std::optional<Step> current;                   // a setup, or one of the cleanups; of a run that is left: a process
                                                   // of it that still runs
    pid_t step_pid = 0;                            // of `current`, or of the command; 0: not known
    std::chrono::system_clock::time_point step_started;
    std::string command;    // its words, separated by blanks
    std::string directory;  // where it was started
    std::string host;       // where it runs or ran
    bool elsewhere = false; // ... which is not this one
    std::string job_url;    // of the CI job
    std::string log;        // a file with the output of its cleanups
    std::string error;      // why it could not be read
};

// Where runs were looked for.
struct Looked {
    std::string state_dir;
    std::string user;
    std::string host;
    std::vector<std::string> strange_variables; // look like an option's, and are none
};

// What was found in one state directory.
struct Place {
    Looked looked;
    std::vector<RunStatus> runs;
    std::vector<EndedRun> ended;
    std::vector<LockStatus> locks;
    std::string error; // why it could not be looked at
};

// Columns enough for everything.
inline constexpr std::size_t uncut = 1'000'000;

// The lines above and, if nothing was found, below the table.
[[nodiscard]] std::string head_of(const Looked& looked);
[[nodiscard]] std::string nothing_found();

// "running", "setup", "cleaning-up", ...
[[nodiscard]] std::string_view name_of(RunStatus::State state);

// One row for each run in the order given, below it what does not fit into a row; at the end what to do about the
// unfinished and damaged ones. Lines are cut to `columns`, but for paths and addresses below a row, which people copy.
// `program` is how to call finally-run for the same state directory: "finally-run --state-dir '/x y'".
[[nodiscard]] std::string to_table(std::span<const RunStatus> runs, std::chrono::system_clock::time_point now,
                                   std::size_t columns, std::string_view program = "finally-run");

// {"runs": [...], "ended": [...], "locks": [...]}, indented, with an end of line; what is not known is null. JSON has
// no other text than UTF-8: bytes that are none come out as U+FFFD.
[[nodiscard]] std::string to_json(std::span<const RunStatus> runs, const Looked& looked = {},
                                  std::span<const EndedRun> ended = {}, std::span<const LockStatus> locks = {});

// {"places": [...]}: of each the same, with "error".
[[nodiscard]] std::string places_to_json(std::span<const Place> places);

} // namespace finally_run::report
