// Runs whose supervisor and guardian are both gone: finished by the next holder of their locks, and told of.
#pragma once

#include "journal/leftover.hpp"
#include "journal/runs.hpp"
#include "lock/lock.hpp"
#include "os/environment.hpp"
#include "os/events.hpp"
#include "os/signals.hpp"
#include "plan/lock_loss.hpp"
#include "plan/plan.hpp"
#include "report/narrator.hpp"

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::rescue {

// The plan of a run as far as finishing it goes: its limits.
[[nodiscard]] plan::Plan plan_of(const journal::Opened& opened, plan::Verbosity verbosity);

// The locks at engines of a run that was left, as they are held while it is finished.
struct AtEngines {
    std::string token = {};
    plan::LookForLoss loss = {};                    // see DeadRun
    std::function<void(bool clean)> give_back = {}; // those that were taken for this alone
    bool had = true;                                // else one of them is not free, and that was said
    int stop = 0;                                   // the signal that told us to stop meanwhile
};
// Takes those of them that are not held anyway, if they are free. `others`: the local locks that were taken for it.
using TakeAtEngines = std::function<AtEngines(const journal::State&, const lock::Held& others)>;

// Who finishes a run that was left, and how.
struct Finisher {
    plan::Actor by = plan::Actor::recovery;
    plan::Verbosity verbosity = plan::Verbosity::normal;
    std::string state_dir = {};                      // as it was given, for messages
    std::optional<unsigned> cleanup_retries = {};    // nullopt: what the run had
    std::optional<text::Limit> cleanup_timeout = {}; // nullopt: what the run had
    std::string lock_token = {};                     // of its locks that machines share, as they are held now
    plan::LookForLoss lock_loss = {};                // see DeadRun
    TakeAtEngines take_at_engines = {};              // for a run with other locks than ours
    const char* const* secrets = nullptr;            // an environment that has what was withheld; null: ours
    os::Beside* beside = nullptr;                    // our own work meanwhile; borrowed, null: none
};

struct Recovered {
    std::size_t failed = 0; // cleanups
    int stop = 0;           // the first signal that told us to stop meanwhile; 0: none
    bool too_long = false;  // somebody else was still at it at the deadline
};

// Runs what is left of it, and again what has failed; takes its journal away, if nothing has failed. Whoever calls this
// holds the locks of the run.
[[nodiscard]] Recovered finish_leftover(journal::Leftover leftover, const journal::Runs& runs, const Finisher& finisher,
                                        os::Signals& signals);

// For what is waited for: what, object, reason.
using Say = std::function<void(std::string_view, std::string_view, std::string_view)>;

struct Waited {
    int stop = 0; // the signal that ended the wait
    bool too_long = false;
};

// Waits until whoever finishes the run with this journal is done or gone; says now and then that it waits.
[[nodiscard]] Waited wait_for_other(const std::filesystem::path& path, os::Signals& signals,
                                    const os::Deadline& deadline, const Say& say);

// Before the first step of a run that holds `locks`: finishes the runs that held one of them and left it unfinished,
// those that were started inside one of these before it, and says of all others, once each, that they can be recovered.
// Stops when we are told to stop. `deadline`: for those that somebody else is finishing.
[[nodiscard]] Recovered finish_runs_of(const lock::Held& locks, const journal::Runs& runs, const plan::Plan& plan,
                                       const os::Deadline& deadline, os::Signals& signals, report::Narrator& narrator,
                                       const TakeAtEngines& take_at_engines = {});

// Before the cleanups of a run with this journal, by its supervisor or whoever stands by for it: finishes the runs that
// were started inside it and that nobody is left to finish, from the inside out. Left out are those with locks at
// engines, which would have to be taken first. What goes wrong is said.
void finish_inner_runs(const std::filesystem::path& journal, const plan::Plan& plan, const os::Environment& environment,
                       os::Events& events, report::Narrator& narrator) noexcept;

// Those of them of which more is left than what has failed, by whoever has taken `locks` to try that again in another.
// `known_failed`: the ids of the others, which are not read again; those that are met join them.
[[nodiscard]] Recovered finish_unfinished_of(const lock::Held& locks, const journal::Runs& runs,
                                             std::set<std::string>& known_failed, const Finisher& finisher,
                                             const os::Deadline& deadline, os::Signals& signals, const Say& say);

} // namespace finally_run::rescue
