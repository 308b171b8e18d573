// Finishes a run whose supervisor is gone: stops what still lives, runs what is left of the stack, ends the journal.
#pragma once

#include "cleanup/executor.hpp"
#include "cleanup/output.hpp"
#include "cleanup/stack.hpp"
#include "journal/origin.hpp"
#include "os/environment.hpp"
#include "os/events.hpp"
#include "plan/lock_loss.hpp"
#include "plan/plan.hpp"
#include "plan/result.hpp"
#include "report/narrator.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>

namespace finally_run::rescue {

// A run as its successor finds it. All is borrowed; the journal is locked.
struct DeadRun {
    cleanup::Stack& stack;
    const plan::Plan& plan; // its limits
    os::Environment& environment;
    cleanup::Output& output;
    journal::Origin origin = {}; // to a guardian everything is as it was
    int directory = AT_FDCWD;    // where its cleanups run; AT_FDCWD: where we are
    std::optional<mode_t> mask = {};
    std::span<const std::string> missing = {}; // variables of the run that `environment` lacks
    plan::LookForLoss lock_loss = {};          // of its locks at engines; empty: there are none
};

struct Rescued {
    plan::Ending ending;
    std::size_t failed = 0; // cleanups, those included that stay failed from before
    int stop = 0;           // the first signal that told us to stop meanwhile; 0: none
};

// Signals abort no cleanup. Only a recovery that still waits for a cleanup of the dead run, or for what SIGKILL does
// not end, gives up, so that a person can end that wait: then the journal stays.
[[nodiscard]] Rescued take_over(plan::Actor by, const DeadRun& dead_run, os::Events& events,
                                report::Narrator& narrator);

} // namespace finally_run::rescue
