// What a journal says, record by record: where the run is, and what is left to be done.
#pragma once

#include "journal/record.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace finally_run::journal {

// A cleanup that has failed and not succeeded since.
struct Failure {
    plan::Cleanup cleanup;
    CleanupFailed how; // the last time
    plan::Actor by = plan::Actor::supervisor;
};

// A cleanup that is done with.
struct Done {
    plan::Cleanup::Kind kind;
    std::string text;  // perhaps cut: they may be more than memory holds at once
    std::string error; // why it failed, and was given up; empty: it succeeded
};

// A lock at an engine, as the run has it.
struct EngineLock {
    HeldAtEngine held;
    bool lost = false;
};

struct State {
    Opened opened;
    std::vector<EngineLock> engine_locks;
    std::vector<plan::Cleanup> stack; // the last one runs first
    std::vector<Failure> failures;    // by their ids. Those that are to be tried again are on the stack too
    std::vector<Done> done;           // in the order in which they ended
    bool begun = false;               // a step has: from here on the cleanups must run
    std::optional<Started> step;      // the setup or command that has started and, as far as is written, not ended
    std::vector<Started> services;    // that have started, and whose stop has not succeeded
    std::optional<plan::Ending> ending;
    std::optional<Started> cleaning;         // the cleanup that has started and not finished
    bool handed_over = false;                // ... and is not to be run again
    std::optional<std::uint64_t> stop_asked; // the cleanup whose end a person waits for
    std::optional<ReportWanted> report;      // nullopt: none
    std::optional<TakenOver> taken_over;
    bool over = false; // nothing is registered any more; if there are failures, until somebody tries them again

    void apply(Entry entry);
    void apply(std::vector<Entry> entries);

    // How many have begun this cleanup and did not finish it: it may end whoever runs it. Several attempts of one
    // count once.
    [[nodiscard]] unsigned times_begun(std::uint64_t cleanup) const;

    // Who sees to the run while it lives: the supervisor, or whoever has taken it over.
    [[nodiscard]] const ProcessId& worker() const { return taken_over ? taken_over->process : opened.supervisor; }
    [[nodiscard]] pid_t at_work() const { return worker().pid; }
    // All is done but what has failed.
    [[nodiscard]] bool has_failed() const { return !failures.empty() && stack.empty(); }
    // Nothing is left to be done.
    [[nodiscard]] bool is_done() const { return !begun || (over && failures.empty()); }
    [[nodiscard]] bool has_lost_lock() const; // one at an engine
    // Of those that are done with, one was given up.
    [[nodiscard]] bool has_given_up() const;
    // Whoever asks how it ended finds an answer: somebody else than its supervisor has seen to it, or not all went
    // well.
    [[nodiscard]] bool is_to_be_remembered() const;
    // The command is over, or is being ended.
    [[nodiscard]] bool cleans_up() const { return ending || taken_over || handed_over; }

    // The variables of the temporary directories that exist: name and path.
    [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& variables() const { return m_variables; }

private:
    struct Begun {
        std::uint64_t cleanup;
        unsigned times = 0;
        unsigned last_by = 0; // the number of m_actors then
    };

    void apply(std::uint64_t offset, Registered registered);
    void apply(const Started& started);
    void apply(const CleanupEnded& finished);
    void apply(CleanupFailed failed);
    void drop_twins_of(plan::Cleanup cleanup);
    void apply(const TakenOver& by);
    void apply(const LockLost& lost);
    void end_cleaning(std::uint64_t cleanup);

    std::size_t m_done_size = 0; // of the texts in `done`
    unsigned m_actors = 1;       // that have worked on it so far
    std::vector<Begun> m_begun;
    std::vector<std::pair<std::string, std::string>> m_variables;
};

} // namespace finally_run::journal
