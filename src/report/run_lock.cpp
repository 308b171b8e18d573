#include "report/run_lock.hpp"

#include "plan/plan.hpp"

#include <filesystem>

namespace finally_run::report {

namespace {

using AtEngine = RunLock::AtEngine;

AtEngine::State state_of(const journal::EngineLock& lock, const journal::State& state, bool alive) {
    if (lock.lost) {
        return AtEngine::State::lost;
    }
    if (alive) {
        return AtEngine::State::held;
    }
    // Whoever gives it back has ended the run before; with everybody else the keeper has gone, too.
    return state.over ? AtEngine::State::released : AtEngine::State::lost;
}

} // namespace

std::string_view name_of(AtEngine::State state) {
    switch (state) {
    case AtEngine::State::held:
        return "held";
    case AtEngine::State::lost:
        return "lost";
    case AtEngine::State::released:
        break;
    }
    return "released";
}

void add_engines(std::vector<RunLock>& locks, const journal::State& state, bool alive) {
    for (const journal::EngineLock& at_engine : state.engine_locks) {
        const auto& held = at_engine.held;
        const std::string file = plan::LockRequest{held.name}.file_name();
        for (RunLock& lock : locks) {
            if (!lock.at_engine && std::filesystem::path(lock.name).filename() == file) {
                lock = {held.name, held.shared,
                        AtEngine{held.token, std::chrono::system_clock::from_time_t(held.time),
                                 state_of(at_engine, state, alive)}};
                break;
            }
        }
    }
}

void add_engines(std::vector<RunLock>& locks, const std::vector<engine::HeldLock>& held,
                 std::chrono::system_clock::time_point since) {
    for (const engine::HeldLock& it : held) {
        for (RunLock& lock : locks) {
            if (lock.name == it.name) {
                lock.at_engine = AtEngine{it.token, since};
            }
        }
    }
}

void note_loss(std::vector<RunLock>& locks, std::string_view name) {
    for (RunLock& lock : locks) {
        if (lock.at_engine && lock.name == name) {
            lock.at_engine->state = AtEngine::State::lost;
        }
    }
}

} // namespace finally_run::report
