// What else than a run may be asked for.
#pragma once

#include "plan/plan.hpp"
#include "text/duration.hpp"

#include <optional>
#include <string>
#include <vector>

namespace finally_run::plan {

// Register one more cleanup with the run that we are in.
struct Defer {
    std::string cmd;
};

// List the runs.
struct Status {
    bool json = false;
    bool verbose = false;                       // nothing is cut
    bool all_users = false;                     // of this machine; only root may ask
    std::vector<std::string> strange_variables; // as in Plan
    std::string state_dir;                      // empty: the default of os/state_dir.hpp
};

// Finish runs whose processes are all gone.
struct Recover {
    std::vector<std::string> runs; // their ids; empty: all of them
    std::string state_dir;
    text::Limit lock_wait; // as in Plan, for the locks of each run
    Verbosity verbosity = Verbosity::normal;
    std::optional<unsigned> cleanup_retries = {};    // nullopt: what each run had
    std::optional<text::Limit> cleanup_timeout = {}; // the same
};

// End live runs.
struct Stop {
    std::vector<std::string> runs; // their ids; at least one
    std::string state_dir;
    text::Limit wait; // for the end of each
    Verbosity verbosity = Verbosity::normal;
};

// Drop runs whose processes are all gone, cleanups and all.
struct Forget {
    std::vector<std::string> runs; // their ids; at least one
    std::string state_dir;
    Verbosity verbosity = Verbosity::normal;
};

} // namespace finally_run::plan
