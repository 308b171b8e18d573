// Runs a stack of cleanups to its end.
#pragma once

#include "cleanup/command.hpp"
#include "cleanup/output.hpp"
#include "cleanup/stack.hpp"
#include "journal/origin.hpp"
#include "os/environment.hpp"
#include "os/events.hpp"
#include "os/process.hpp"
#include "plan/result.hpp"

#include <cstddef>
#include <fcntl.h>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace finally_run::cleanup {

struct Settings {
    TimeLimits limits;      // of each single attempt
    unsigned retries = 0;   // after a failure, with a growing pause
    const char* const* env; // ends with a null; borrowed
    // Variables of the run that are not in it: a command that relies on one fails, and is not begun. Borrowed.
    std::span<const std::string> missing = {};
    // Where a cleanup runs that has no place of its own. For a run that ended long ago also its umask(2).
    int directory = AT_FDCWD;
    std::optional<mode_t> mask = {};
    bool same_boot = true; // device numbers in places still hold
    // Of the services: what their pids mean here, and whether whoever stops them has been there all the time.
    journal::Pids pids = journal::Pids::same;
    bool numbers_hold = true;
    bool in_our_session = false; // see Surroundings
};

// FINALLY_RUN_RESULT and its like, for the cleanups. `lock`: of those at engines, "held" or "lost"; empty: there are
// none.
void tell_ending(os::Environment& environment, const plan::Ending& ending, plan::Actor by, std::string_view lock = {});
inline constexpr const char* lock_variable = "FINALLY_RUN_LOCK";

// Hears of every cleanup; no call can stop one.
class Observer {
public:
    virtual ~Observer() = default;
    virtual void begin(const Cleanup& cleanup) = 0;
    virtual void end(const Cleanup& cleanup, const Outcome& outcome, text::Duration took) = 0;
    // It has failed so far, and is tried again after the pause; which try that is, from 1 on.
    virtual void retrying(const Cleanup& cleanup, const Outcome& outcome, unsigned next_try, text::Duration pause) = 0;
    // What becomes of the processes that it leaves.
    virtual void noticed(const supervise::Notice& notice) = 0;
    // Its place is gone (the reason), so it runs in a fresh directory.
    virtual void moved(const Cleanup& cleanup, std::string_view reason) = 0;
};

// What it takes to run them. All is borrowed.
struct Means {
    Stack& stack;
    Output& output;
    os::Events& events;
    Observer& observer;
    // A signal came while this one ran, or was to be tried again.
    std::function<void(const Cleanup&, const os::Signal&)> on_signal;
    // Right before one begins, when a lock is lost meanwhile, and before the run is closed.
    std::function<void()> look_at_locks = {};
    // Who finishes a run inside this one just now: a cleanup, or a service, may have been such a run. They are waited
    // for, and never signalled.
    std::function<std::vector<os::ProcessInfo>()> inner_guardians = {};
    // After one of which somebody was killed: finishes the runs inside this one that nobody is left to finish.
    std::function<void()> finish_inner_runs = {};
};

// Last in, first out, each whatever became of the one before; on-success and on-failure only for their outcome. Returns
// how many failed.
[[nodiscard]] std::size_t run_all(const Means& means, plan::Result result, const Settings& settings);

// The same, again and again until nothing more is registered, and the run is closed.
[[nodiscard]] std::size_t run_to_end(const Means& means, plan::Result result, const Settings& settings);

} // namespace finally_run::cleanup
