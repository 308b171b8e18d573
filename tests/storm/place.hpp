// The directory of a storm: who takes part finds the others' traces here, and leaves his own.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::storm {

namespace fs = std::filesystem;

struct Place {
    fs::path root;
    pid_t harness; // it inherits whoever has lost his parent

    [[nodiscard]] fs::path finally_run() const { return root / "finally-run"; }
    [[nodiscard]] fs::path self() const { return root / "storm"; }
    [[nodiscard]] fs::path state() const { return root / "state"; }
    [[nodiscard]] fs::path runs() const { return state() / ".runs"; }
    [[nodiscard]] fs::path lock() const { return state() / "storm"; }

    // A symbolic link to the id of the run that has the lock, as far as the steps of the runs can tell.
    [[nodiscard]] fs::path token() const { return root / "token"; }
    [[nodiscard]] fs::path inside() const { return root / "inside"; }   // locked by the step that is at work
    [[nodiscard]] fs::path failing() const { return root / "failing"; } // ... and a number: whose cleanup always fails
    [[nodiscard]] fs::path counter() const { return root / "counter"; }
    [[nodiscard]] fs::path temp() const { return root / "tmp"; }
    [[nodiscard]] fs::path removed() const { return root / "removed"; }

    // Files of lines, which many append to.
    [[nodiscard]] fs::path turns() const { return root / "turns.log"; }               // begin|done RUN VALUE
    [[nodiscard]] fs::path acknowledged() const { return root / "acknowledged.log"; } // WORD
    [[nodiscard]] fs::path refused() const { return root / "refused.log"; }           // WORD STATUS
    [[nodiscard]] fs::path ran() const { return root / "ran.log"; }                   // WORD BY
    [[nodiscard]] fs::path ended() const { return root / "ended.log"; }               // RUN BY RESULT NUMBER
    [[nodiscard]] fs::path violations() const { return root / "violations.log"; }
    [[nodiscard]] fs::path messages() const { return root / "messages.log"; } // stderr of all
};

// The names of runs without a lock begin with it, and so do the words that they defer.
inline constexpr std::string_view loose = "loose";

// Ends of words of cleanups that fail now and then, and always.
inline constexpr std::string_view at_times = ".fails-at-times";
inline constexpr std::string_view always = ".always-fails";

// The command line, as a CMD and as words, that starts this program as `step` of a run.
[[nodiscard]] std::vector<std::string> words_of(const Place& place, std::string_view step, std::string_view argument);
[[nodiscard]] std::string cmd_of(const Place& place, std::string_view step, std::string_view argument);

// Adds a line with one write(2), so that it is there whole or not at all. Throws std::system_error.
void append(const fs::path& file, const std::string& line);
void violation(const Place& place, const std::string& what);

[[nodiscard]] std::vector<std::string> lines_of(const fs::path& file);
[[nodiscard]] std::vector<std::string> split(std::string_view line);

[[noreturn]] void fail(const std::string& what); // with errno

// Less than `limit`; another sequence in each process.
[[nodiscard]] unsigned random_below(unsigned limit);
void pause(unsigned milliseconds);

} // namespace finally_run::storm
