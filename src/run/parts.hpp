// What a run is made of.
#pragma once

#include "cleanup/output.hpp"
#include "cleanup/stack.hpp"
#include "engine/keeper.hpp"
#include "os/environment.hpp"
#include "os/events.hpp"
#include "plan/plan.hpp"
#include "report/narrator.hpp"

namespace finally_run::run {

// Made before the first step. All is borrowed.
struct Parts {
    const plan::Plan& plan;
    cleanup::Stack& stack;
    cleanup::Output& output;
    os::Environment& environment; // of what the run starts
    os::Events& events;
    report::Narrator& narrator;
    engine::Keeper* keeper = nullptr; // nullptr: no lock of the run is at an engine
};

} // namespace finally_run::run
