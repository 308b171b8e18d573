// One trial: a run that is broken at one point, brought to its end, and looked at afterwards.
#pragma once

#include "tracer.hpp"
#include "verdict.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace finally_run::crash {

// Who is killed with SIGKILL, or which signal is sent to the supervisor, or which failure the next system call has.
enum class Blow { none, kill_supervisor, kill_guardian, kill_both, kill_finisher, term, interrupt, hangup, fail_call };

// Who finishes a run when nobody of it is left.
enum class Finisher { none, recover, next_holder };

// All trials of a row differ in the point alone.
struct Row {
    std::string name;
    Role actor = Role::supervisor; // whose points are counted
    Blow blow = Blow::none;        // at the point
    Finisher finisher = Finisher::none;
    Moment opening = Moment::start; // then first_blow falls, and the actor is the finisher or the guardian after it
    Blow first_blow = Blow::none;
    bool hold_child = false; // only points between clone(2) and execve(2), where the child stays for a while
};

// For Blow::fail_call the point is a number among the calls of this name: the others do not count, so that a call more
// or less before it does not matter.
struct Shot {
    unsigned point = 0;
    int error = 0;
    long call = -1;
};

inline constexpr Shot no_shot{~0U};

// One system call that an actor was seen to enter.
struct Call {
    unsigned point;
    long number;
    bool in_child;
    bool polls;
};

struct Outcome {
    bool reached = false;
    unsigned points = 0; // that the actor had, up to the shot, without repeats
    unsigned repeats = 0;
    std::vector<Call> calls; // entered, up to the shot
    Faults faults;
    bool excused = false;
    std::string details; // where the shot fell, the log, stderr; for people
};

// How the run, and what finishes it, are called in `directory`.
struct Scenario {
    virtual ~Scenario() = default;
    [[nodiscard]] virtual std::vector<std::string> run(const std::string& directory) const = 0;
    [[nodiscard]] virtual std::vector<std::string> finish(const std::string& directory, Finisher finisher) const = 0;
};

// Makes `directory` anew.
[[nodiscard]] Outcome run_trial(const Scenario& scenario, const Row& row, Shot shot,
                                const std::filesystem::path& directory);

} // namespace finally_run::crash
