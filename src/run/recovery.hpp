// Runs whose supervisor and guardian are both gone: found, told of, finished, or dropped.
#pragma once

#include "journal/runs.hpp"
#include "lock/lock.hpp"
#include "os/signals.hpp"
#include "plan/plan.hpp"
#include "plan/request.hpp"
#include "run/finish.hpp"
#include "run/narrator.hpp"

namespace finally_run::run {

// Before the first step of a run that holds `locks`: finishes the runs that held one of them and left it unfinished,
// and says of all others, once each, that they can be recovered. Returns the signal if we are told to stop meanwhile,
// else 0.
[[nodiscard]] int finish_runs_of(const lock::Held& locks, const journal::Runs& runs, plan::Verbosity verbosity,
                                 os::Signals& signals, Narrator& narrator);

// --recover and --forget.
[[nodiscard]] Finish recover(const plan::Recover& request, os::Signals& signals);
[[nodiscard]] Finish forget(const plan::Forget& request);

} // namespace finally_run::run
