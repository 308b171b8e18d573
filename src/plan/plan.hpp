// What the user asked for: the parsed command line as plain values.
#pragma once

#include "plan/cleanup.hpp"
#include "plan/ready.hpp"
#include "plan/rewrite.hpp"
#include "text/duration.hpp"

#include <csignal>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::plan {

// One word of the left-to-right program that precedes the command: a cleanup to be registered, a setup, or a service,
// which is both: it is started, and its stop is registered.
struct Step {
    std::optional<Cleanup::Kind> cleanup; // nullopt: a setup
    std::string text;                     // CMD, PATH or VAR, byte for byte as given
    bool anywhere =
        false; // a cleanup that also does for a last holder, on another machine say, that has not cleaned up
    std::vector<ReadyCheck> ready = {}; // of a service: what must hold before the next step, in this order
};

struct LockRequest {
    // ENGINE:NAME is at an engine that machines share; else with a slash a path, without one a file in the state
    // directory.
    std::string name;
    bool shared = false;

    [[nodiscard]] bool is_at_engine() const {
        const auto first = name.find_first_of(":/");
        return first != std::string::npos && name[first] == ':';
    }
    [[nodiscard]] bool is_path() const { return !is_at_engine() && name.find('/') != std::string::npos; }

    // Of a lock at an engine: ENGINE, and NAME there.
    [[nodiscard]] std::string_view engine() const { return std::string_view(name).substr(0, name.find(':')); }
    [[nodiscard]] std::string_view name_there() const { return std::string_view(name).substr(name.find(':') + 1); }
    // In the state directory, of what is no path. One at an engine is a local lock first, and its NAME may have
    // slashes.
    [[nodiscard]] std::string file_name() const;
};

enum class Orphans { leave, wait, kill };
enum class StopWithCaller { automatic, always, never };
enum class ServiceExit { report, stop };
enum class FailedCleanups { keep, drop };
enum class Ci { automatic, github, gitlab, none };
enum class Verbosity { quiet, normal, verbose };

// Everything one run needs to know. `command` points into argv, which outlives the plan.
struct Plan {
    std::vector<Step> steps;
    std::vector<LockRequest> locks;
    text::Limit lock_wait;                                        // nullopt: for ever; zero: do not wait
    int conflict_exit_code = 75;                                  // EX_TEMPFAIL of sysexits.h
    text::Duration lock_ttl = std::chrono::seconds(30);           // an engine keeps the lock of a vanished machine
    text::Limit timeout;                                          // nullopt: none
    int stop_signal = SIGTERM;                                    // what a time limit or a vanished caller sends first
    std::vector<Rewrite> rewrites;                                // of signals that reach the run from outside
    bool preserve_status = false;                                 // after a time limit the command's own, not 124
    text::Limit grace = text::Duration(std::chrono::seconds(10)); // nullopt: never SIGKILL
    text::Limit cleanup_timeout;                                  // nullopt: none
    unsigned cleanup_retries = 0;
    text::Limit ready_timeout = text::Duration(std::chrono::minutes(1)); // nullopt: none
    ServiceExit service_exit = ServiceExit::report;                      // while the command runs
    Orphans orphans = Orphans::leave;
    StopWithCaller stop_with_caller = StopWithCaller::automatic;
    bool strict = false;
    FailedCleanups failed_cleanups = FailedCleanups::keep;
    bool dry_run = false;              // say it, and do nothing
    bool durable = false;              // sync the journal to the disk
    std::vector<std::string> keep_env; // patterns (fnmatch(3)) of variables that recovery may have
    std::string state_dir;             // empty: the default of os/state_dir.hpp
    std::string report;                // empty: no report
    Ci ci = Ci::automatic;
    Verbosity verbosity = Verbosity::normal;
    std::vector<std::string> strange_variables; // FINALLY_RUN_..., but no option's; only if verbose
    std::span<char* const> command;             // argv from the command on; argv's null follows it
};

} // namespace finally_run::plan
