// The locks of a run, as --status and --report tell of them.
#pragma once

#include "engine/keeper.hpp"
#include "journal/state.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::report {

// All text is foreign and raw.
struct RunLock {
    // Of one at an engine, once the run has had it.
    struct AtEngine {
        enum class State {
            held,
            lost,     // before it was given back
            released, // the run has ended, and what it left failed does not need the lock
        };
        std::string token; // empty: the engine has none
        std::chrono::system_clock::time_point since;
        State state = State::held;
    };

    std::string name; // that the user gave it, or its path
    bool shared = false;
    std::optional<AtEngine> at_engine = {};
};

// "held", "lost", "released"
[[nodiscard]] std::string_view name_of(RunLock::AtEngine::State state);

// Adds what the journal says of those at engines; each is in `locks` already, by the file that is its local part.
// `alive`: somebody works on the run.
void add_engines(std::vector<RunLock>& locks, const journal::State& state, bool alive);

// The same of those that the run has just had, and of the one that it has lost.
void add_engines(std::vector<RunLock>& locks, const std::vector<engine::HeldLock>& held,
                 std::chrono::system_clock::time_point since);
void note_loss(std::vector<RunLock>& locks, std::string_view name);

} // namespace finally_run::report
