// The locks of a run that machines share: taken by its keeper, which finishes the run if nobody else is left.
#pragma once

#include "engine/keeper.hpp"
#include "lock/lock.hpp"
#include "os/clock.hpp"
#include "os/environment.hpp"
#include "os/events.hpp"
#include "os/title.hpp"
#include "plan/exit_status.hpp"
#include "plan/plan.hpp"
#include "report/narrator.hpp"
#include "rescue/leftovers.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>

namespace finally_run::action {

// Why the engine of a lock is not known; empty: there is a helper for it, or it is a local lock.
[[nodiscard]] std::string why_unknown(const plan::LockRequest& lock);

// Says which engine there is no helper for, if so.
[[nodiscard]] bool engines_are_known(const plan::Plan& plan, report::Narrator& narrator);

// Who we are, for those who wait elsewhere and for who comes after us: host, run, pid, command, CI job.
[[nodiscard]] std::string holder_text(const plan::Plan& plan, const std::string& run_id);

// What all of this needs of a run that is about to begin. All is borrowed.
struct Beginning {
    const plan::Plan& plan;
    const std::string& run_id;
    const os::MainArgs& main_args;
    const std::filesystem::path& state_dir;
    os::Events& events;
    report::Narrator& narrator;
};

// Takes them, with the local locks held; null: there are none. Or the run ends here.
[[nodiscard]] std::variant<std::unique_ptr<engine::Keeper>, plan::RunEnd>
take_engine_locks(const Beginning& beginning, const lock::Held& held, const os::BootDeadline& deadline);

// For a run that was left: those of its locks that `ours` (null: nobody) does not hold. Nobody waits: in this order two
// could wait for each other. `run`: who finishes it.
[[nodiscard]] rescue::AtEngines take_for_leftover(const Beginning& run, engine::Keeper* ours,
                                                  const journal::State& leftover, const lock::Held& others);

// Their tokens, in the order in which they were taken, and in that of the command line.
[[nodiscard]] std::string tokens_of(const engine::Keeper& keeper);
[[nodiscard]] std::string tokens_of(const plan::Plan& plan, const engine::Keeper& keeper);

} // namespace finally_run::action
