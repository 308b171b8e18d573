// The life of a run.
#pragma once

#include "os/signals.hpp"
#include "plan/exit_status.hpp"
#include "plan/plan.hpp"
#include "run/guardian.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace finally_run::action {

// Takes the locks, runs the steps and the command, then every registered cleanup, and says what to return with. Reports
// every failure itself. Makes the process a subreaper: prctl(2).
[[nodiscard]] plan::ExitStatus run(const plan::Plan& plan, const os::MainArgs& main_args, os::Signals& signals);

// A --remove of what must never be removed.
struct RefusedRemoval {
    std::string path;
    std::string reason;
};

[[nodiscard]] std::optional<RefusedRemoval> refused_removal(const plan::Plan& plan,
                                                            const std::filesystem::path& state_dir);

// "finally-run: message", on stderr: for what keeps a run from having a plan at all.
void say_error(std::string_view message);

} // namespace finally_run::action
