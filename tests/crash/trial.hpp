// One trial: a run that is broken at one point, brought to its end, and looked at afterwards.
#pragma once

#include "scenario.hpp"
#include "tracer.hpp"
#include "verdict.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace finally_run::crash {

// A system call that an actor was seen to enter or to leave. It is found again by its number among the calls of the
// same name: the others do not count, so that a call more or less before it does not matter.
struct Call {
    unsigned point;
    long number;
    unsigned ordinal;
    bool entry;
    bool in_child;
    bool polls;
};

struct Shot {
    unsigned point = 0;
    long call = -1;
    unsigned ordinal = 0;
    bool entry = true;
    int error = 0; // with which the call fails
};

inline constexpr Shot no_shot{~0U};

struct Outcome {
    bool reached = false;
    bool missed = false;      // the run ended before the point
    std::vector<Call> points; // that the actor had, without repeats, if there was no shot
    unsigned repeats = 0;
    Faults faults;
    bool excused = false;
    std::string details; // where the shot fell, the log, stderr; for people
};

// Makes `directory` anew.
[[nodiscard]] Outcome run_trial(const Scenario& scenario, const Row& row, Shot shot,
                                const std::filesystem::path& directory);

} // namespace finally_run::crash
