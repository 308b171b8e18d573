#include "action/run.hpp"

#include "action/engine_locks.hpp"
#include "action/holders.hpp"
#include "cleanup/output.hpp"
#include "cleanup/remove_tree.hpp"
#include "cleanup/stack.hpp"
#include "journal/file.hpp"
#include "journal/run_id.hpp"
#include "journal/runs.hpp"
#include "lock/lock.hpp"
#include "os/environment.hpp"
#include "os/memory_reserve.hpp"
#include "os/needed_calls.hpp"
#include "os/state_dir.hpp"
#include "os/terminal.hpp"
#include "os/variables.hpp"
#include "report/ended.hpp"
#include "report/hints.hpp"
#include "report/messages.hpp"
#include "report/narrator.hpp"
#include "rescue/leftovers.hpp"
#include "run/caller.hpp"
#include "run/first_record.hpp"
#include "run/supervisor.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <sys/prctl.h>
#include <utility>
#include <variant>

namespace finally_run::action {

std::optional<RefusedRemoval> refused_removal(const plan::Plan& plan, const std::filesystem::path& state_dir) {
    const std::string_view home = os::variable("HOME");
    for (const plan::Step& step : plan.steps) {
        if (step.cleanup == plan::Cleanup::Kind::remove) {
            if (auto reason = cleanup::refuse_reason(AT_FDCWD, step.text, {home, state_dir.native()})) {
                return RefusedRemoval{step.text, std::move(*reason)};
            }
        }
    }
    return std::nullopt;
}

namespace {

// What must never be removed is refused before anything has happened.
bool removals_allowed(const plan::Plan& plan, const std::filesystem::path& state_dir, report::Narrator& narrator) {
    const auto refused = refused_removal(plan, state_dir);
    if (refused) {
        narrator.failed("--remove", refused->path, refused->reason);
    }
    return !refused;
}

std::variant<lock::Held, plan::RunEnd> take_locks(const plan::Plan& plan, const std::filesystem::path& state_dir,
                                                  os::Events& events, report::Narrator& narrator) {
    if (plan.locks.empty()) {
        return lock::Held{};
    }
    const auto start = os::Clock::now();
    const auto while_waiting = [&](const std::string& name, const std::optional<lock::Holder>& holder,
                                   text::Duration waited) { return narrator.lock_awaited(name, holder, waited); };
    auto outcome =
        lock::acquire(plan.locks, state_dir, plan.lock_wait, events, while_waiting, holders_by_journal(state_dir));
    narrator.lock_wait_over(os::Clock::now() - start);
    if (auto* const held = std::get_if<lock::Held>(&outcome)) {
        return std::move(*held);
    }
    if (const auto* const interrupted = std::get_if<os::Interrupted>(&outcome)) {
        return plan::interrupted_by(interrupted->signal, interrupted->caller_gone);
    }
    narrator.lock_not_had(std::get<lock::NotHad>(outcome));
    const int status = plan.conflict_exit_code;
    return plan::RunEnd{{plan::Result::not_started, status, 0}, {status, 0}};
}

// Where there is no place for it, a run goes on without one if there is nothing to keep there.
journal::Runs open_runs(const plan::Plan& plan, const os::StateDir& state_dir, report::Narrator& narrator) {
    const auto is_in_it = [](const plan::LockRequest& lock) { return !lock.is_path(); };
    if (!plan.steps.empty() || std::ranges::any_of(plan.locks, is_in_it) || state_dir.can_be_had) {
        narrator.detailed("state directory", state_dir.path.native());
        return journal::Runs(state_dir.path);
    }
    narrator.detailed("state directory", "none can be had (FINALLY_RUN_STATE_DIR)", "--defer cannot register anything");
    return journal::Runs::nowhere(state_dir.path);
}

void tell_held(const plan::Plan& plan, const engine::Keeper& keeper, os::Environment& environment,
               report::Narrator& narrator) {
    environment.set("FINALLY_RUN_LOCK", "held");
    environment.set("FINALLY_RUN_LOCK_TOKEN", tokens_of(plan, keeper));
    for (const engine::HeldLock& lock : keeper.held()) {
        if (!lock.unclean.empty()) {
            narrator.noted("lock", lock.name, "its last holder has not cleaned up: " + lock.unclean);
        }
    }
}

void record_held(const plan::Plan& plan, const engine::Keeper& keeper, cleanup::Stack& stack) {
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    for (const engine::HeldLock& lock : keeper.held()) {
        const bool shared =
            std::ranges::all_of(plan.locks, [&](const auto& asked) { return asked.shared || asked.name != lock.name; });
        stack.record(journal::HeldAtEngine{lock.name, lock.token, now, shared});
    }
}

plan::ExitStatus run_with_locks(const plan::Plan& plan, const os::MainArgs& main_args, os::Environment& environment,
                                const std::string& run_id, const os::StateDir& state_dir, os::Events& events,
                                report::Narrator& narrator) {
    const os::Deadline deadline = os::deadline_after(plan.lock_wait);
    const os::BootDeadline lock_deadline = os::boot_deadline_after(plan.lock_wait);
    journal::State state;
    state.opened = run::first_record(plan, run_id, !os::has_controlling_terminal(), main_args.envp);
    auto locks = take_locks(plan, state_dir.path, events, narrator);
    if (const auto* const end = std::get_if<plan::RunEnd>(&locks)) {
        narrator.write_report(end->ending);
        return end->status;
    }
    const auto& held = std::get<lock::Held>(locks);
    auto at_engines =
        take_engine_locks({plan, run_id, main_args, state_dir.path, events, narrator}, held, lock_deadline);
    if (const auto* const end = std::get_if<plan::RunEnd>(&at_engines)) {
        narrator.write_report(end->ending);
        return end->status;
    }
    const auto& keeper = std::get<std::unique_ptr<engine::Keeper>>(at_engines);
    if (keeper) {
        narrator.locks_had(keeper->held());
        tell_held(plan, *keeper, environment, narrator);
    }
    const journal::Runs runs = open_runs(plan, state_dir, narrator);
    const auto take_others = [&](const journal::State& leftover, const lock::Held& others) {
        return take_for_leftover({plan, run_id, main_args, state_dir.path, events, narrator}, keeper.get(), leftover,
                                 others);
    };
    const auto before = rescue::finish_runs_of(held, runs, plan, deadline, events.signals(), narrator, take_others);
    if (before.too_long) {
        narrator.write_report({plan::Result::not_started, plan.conflict_exit_code, 0});
        return {plan.conflict_exit_code, 0};
    }
    if (before.stop != 0) {
        const plan::RunEnd end = plan::stopped_by(before.stop);
        narrator.write_report(end.ending);
        return end.status;
    }
    if (before.failed > 0 && plan.strict) {
        narrator.failed("not started", {}, "an earlier run with this lock has failed to clean up");
        narrator.write_report({plan::Result::not_started, plan::failed_cleanup_status, 0});
        return {plan::failed_cleanup_status, 0};
    }
    if (before.failed > 0 && keeper) {
        keeper->stay_unclean();
    }
    run::begin(state.opened, held);
    auto file = journal::File::create(runs, state.opened, plan.durable);
    file.reserve(run::room_for(plan, state.opened));
    cleanup::Stack stack(std::move(file), std::move(state), [&](std::string_view what, std::string_view reason) {
        narrator.journal_trouble(what, reason);
    });
    cleanup::Output output(runs.log_of(run_id), [&] { return report::log_head(stack.read_state().opened); });
    if (keeper) {
        record_held(plan, *keeper, stack);
        events.watch_lock(keeper->line());
    }
    return run::Supervisor({plan, stack, output, environment, events, narrator, keeper.get()}, main_args, held,
                           keeper ? holder_text(plan, run_id) : std::string())
        .run();
}

} // namespace

plan::ExitStatus run(const plan::Plan& plan, const os::MainArgs& main_args, os::Signals& signals) {
    const std::string run_id = journal::new_run_id();
    os::Environment environment(main_args.envp);
    report::Narrator narrator(plan, environment.block(), run_id);
    for (const std::string& variable : plan.strange_variables) {
        narrator.noted(variable, {}, report::of_no_option);
    }
    if (const std::string refused = os::refused_call(); !refused.empty()) {
        narrator.failed("cannot run anything here", refused);
        narrator.write_report(plan::own_failure);
        return {plan::own_failure_status, 0};
    }
    try {
        os::require_stack();
        const os::StateDir state_dir = os::find_state_dir(plan.state_dir);
        if (!removals_allowed(plan, state_dir.path, narrator) || !engines_are_known(plan, narrator)) {
            narrator.write_report(plan::own_failure);
            return {plan::own_failure_status, 0};
        }
        environment.set("FINALLY_RUN_ID", run_id);
        // Orphans of the command become our children, so that we can find, wait for and reap them: prctl(2).
        ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        os::Events events(signals, run::what_to_watch(plan.stop_with_caller, signals));
        return run_with_locks(plan, main_args, environment, run_id, state_dir, events, narrator);
    } catch (const std::exception& error) {
        narrator.failed(error);
        narrator.write_report(plan::own_failure);
        return {plan::own_failure_status, 0};
    }
}

void say_error(std::string_view message) { report::Messages(plan::Verbosity::normal).error(message); }

} // namespace finally_run::action
