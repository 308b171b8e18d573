#include "action/recover.hpp"

#include "action/engine_locks.hpp"
#include "action/find_runs.hpp"
#include "action/holders.hpp"
#include "journal/leftover.hpp"
#include "journal/origin.hpp"
#include "journal/runs.hpp"
#include "lock/lock.hpp"
#include "os/error.hpp"
#include "os/process.hpp"
#include "os/state_dir.hpp"
#include "report/call.hpp"
#include "report/lock_wait.hpp"
#include "report/messages.hpp"
#include "report/narrator.hpp"
#include "rescue/inner_runs.hpp"
#include "rescue/leftovers.hpp"
#include "rescue/order.hpp"

#include <algorithm>
#include <cerrno>
#include <compare>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <sys/prctl.h>
#include <system_error>
#include <utility>
#include <variant>
#include <vector>

namespace finally_run::action {

namespace {

// Those that the run held, as the run took them: nobody else may be between its cleanups and the end of its lock.
std::variant<lock::Held, plan::ExitStatus> take_locks_of(const journal::Opened& opened, const plan::Recover& request,
                                                         os::Signals& signals, report::Messages& messages) {
    const auto state_dir = os::state_dir_path(request.state_dir);
    std::vector<plan::LockRequest> wanted;
    for (const journal::LockId& lock : opened.locks) {
        wanted.push_back({lock.path, lock.shared});
    }
    try {
        os::Events events(signals, {});
        const auto waiting = [&](const std::string& name, const std::optional<lock::Holder>& holder,
                                 text::Duration waited) { return report::say_waiting(messages, name, holder, waited); };
        auto outcome = lock::acquire(wanted, {}, request.lock_wait, events, waiting, holders_by_journal(state_dir));
        messages.finish_transient();
        if (const auto* const interrupted = std::get_if<os::Interrupted>(&outcome)) {
            return plan::ExitStatus{128 + interrupted->signal, interrupted->signal};
        }
        if (const auto* const not_had = std::get_if<lock::NotHad>(&outcome)) {
            messages.error("run " + opened.run_id + " cannot be recovered", not_had->name, "its lock is not free");
            return plan::ExitStatus{plan::Plan{}.conflict_exit_code, 0};
        }
        return std::get<lock::Held>(std::move(outcome));
    } catch (const std::system_error& error) {
        const int code = error.code().value();
        if (code == ENOENT || code == ENOTDIR) { // nobody can have it any more
            messages.note("recovering without a lock", {}, error.what());
            return lock::Held{};
        }
        messages.error("run " + opened.run_id + " cannot be recovered", {}, error.what());
        return plan::ExitStatus{plan::own_failure_status, 0};
    }
}

// False also if it cannot be seen from here.
bool supervisor_is_gone(const journal::Opened& opened) {
    if (journal::origin_of(opened).pids != journal::Pids::same) {
        return false;
    }
    const auto process = os::read_process(opened.supervisor.pid);
    return !process || process->ended || std::is_gt(os::start_against(*process, opened.supervisor.boot_nanoseconds));
}

// Those of its locks that machines share, after the local ones; null: there are none. Or the status of the failure.
std::variant<std::unique_ptr<engine::Keeper>, plan::ExitStatus>
take_engine_locks_of(const journal::State& state, const lock::Held& held, const plan::Recover& request,
                     const os::MainArgs& main_args, os::Signals& signals) {
    if (state.engine_locks.empty()) {
        return nullptr;
    }
    plan::Plan plan;
    for (const journal::EngineLock& lock : state.engine_locks) {
        plan.locks.push_back({lock.held.name, lock.held.shared});
    }
    plan.lock_wait = request.lock_wait;
    plan.verbosity = request.verbosity;
    plan.state_dir = request.state_dir;
    report::Narrator narrator(plan, environ, state.opened.run_id);
    const plan::ExitStatus failed{plan::own_failure_status, 0};
    if (!engines_are_known(plan, narrator)) {
        return failed;
    }
    os::Events events(signals, {});
    const auto state_dir = os::state_dir_path(request.state_dir);
    auto taken = take_engine_locks({plan, state.opened.run_id, main_args, state_dir, events, narrator}, held,
                                   os::boot_deadline_after(request.lock_wait));
    if (const auto* const end = std::get_if<plan::RunEnd>(&taken)) {
        narrator.failed("run " + state.opened.run_id + " cannot be recovered", {}, "its lock is not free");
        return end->status;
    }
    return std::get<std::unique_ptr<engine::Keeper>>(std::move(taken));
}

// In a cleanup, where somebody is at the run, or at a cleanup of it: nullopt if we may wait for that. Without an id
// such a run is left alone, as one whose supervisor lives is: two cleanups that recover all would wait for each other.
std::optional<plan::ExitStatus> refused_in_cleanup(const journal::Item& item, const plan::Recover& request,
                                                   report::Messages& messages) {
    if (!rescue::are_in_cleanup()) {
        return std::nullopt;
    }
    if (request.runs.empty()) {
        return plan::ExitStatus{};
    }
    if (!rescue::is_around_us(item.path)) {
        return std::nullopt;
    }
    messages.error("run " + item.id + " is not recovered", {}, rescue::for_itself);
    return plan::ExitStatus{plan::Plan{}.conflict_exit_code, 0};
}

bool is_at_cleanup(const journal::State& state) {
    return state.cleaning && os::still_runs(state.cleaning->process.pid, state.cleaning->process.boot_nanoseconds);
}

struct Taken {
    lock::Held locks;
    journal::Found found;
    std::unique_ptr<engine::Keeper> keeper = nullptr; // of the locks that machines share
};

// Waits for a guardian that is at work on it, and for a child that is about to become a step. Finish: we are told to
// stop, or the locks of the run cannot be had.
std::variant<Taken, plan::ExitStatus> take(const journal::Item& item, const plan::Recover& request,
                                           const os::MainArgs& main_args, os::Signals& signals,
                                           report::Messages& messages) {
    const os::Deadline deadline = os::deadline_after(request.lock_wait);
    const auto whose = request.runs.empty() ? journal::Whose::this_host : journal::Whose::any_host;
    for (;;) {
        const auto state = journal::read_state(item.path);
        Taken taken{{}, journal::claim(item.path, journal::Patience::some, whose)};
        if (!state && std::holds_alternative<journal::Leftover>(taken.found)) {
            continue; // it could be read a moment later, and its locks are to be taken
        }
        if (!state || (!std::holds_alternative<journal::Leftover>(taken.found) &&
                       !std::holds_alternative<journal::Alive>(taken.found))) {
            return taken;
        }
        const bool is_alive = std::holds_alternative<journal::Alive>(taken.found);
        if (is_alive && !supervisor_is_gone(state->opened)) {
            return taken;
        }
        if (is_alive || is_at_cleanup(*state)) {
            if (const auto refused = refused_in_cleanup(item, request, messages)) {
                return *refused;
            }
        }
        if (is_alive) {
            const auto say = [&](auto what, auto object, auto reason) { messages.note(what, object, reason); };
            const rescue::Waited waited = rescue::wait_for_other(item.path, signals, deadline, say);
            if (waited.stop != 0) {
                return plan::ExitStatus{128 + waited.stop, waited.stop};
            }
            if (waited.too_long) {
                messages.error("run " + item.id + " is not recovered", {},
                               "pid " + std::to_string(state->at_work()) + " is still cleaning up");
                return plan::ExitStatus{plan::Plan{}.conflict_exit_code, 0};
            }
            continue;
        }
        if (state->opened.locks.empty()) {
            return taken;
        }
        taken.found = journal::Gone{}; // its lock comes after those of the run
        auto locks = take_locks_of(state->opened, request, signals, messages);
        if (const auto* const refused = std::get_if<plan::ExitStatus>(&locks)) {
            return *refused;
        }
        taken.locks = std::get<lock::Held>(std::move(locks));
        auto keeper = take_engine_locks_of(*state, taken.locks, request, main_args, signals);
        if (const auto* const refused = std::get_if<plan::ExitStatus>(&keeper)) {
            return *refused;
        }
        taken.keeper = std::get<std::unique_ptr<engine::Keeper>>(std::move(keeper));
        taken.found = journal::claim(item.path, journal::Patience::some, whose);
        if (!std::holds_alternative<journal::Alive>(taken.found)) {
            return taken;
        }
    }
}

// Finishes one run, or says why not.
plan::ExitStatus recover_one(const journal::Item& item, const plan::Recover& request, const journal::Runs& runs,
                             const os::MainArgs& main_args, os::Signals& signals, report::Messages& messages,
                             std::set<std::string>& known_failed, bool& any) {
    auto taken = take(item, request, main_args, signals, messages);
    if (const auto* const refused = std::get_if<plan::ExitStatus>(&taken)) {
        return *refused;
    }
    journal::Found& found = std::get<Taken>(taken).found;
    if (auto* const leftover = std::get_if<journal::Leftover>(&found)) {
        any = true;
        const auto& keeper = std::get<Taken>(taken).keeper;
        rescue::Finisher finisher{plan::Actor::recovery, request.verbosity, request.state_dir, request.cleanup_retries,
                                  request.cleanup_timeout};
        if (keeper) {
            finisher.lock_loss = [&] { return keeper->loss(); };
            finisher.lock_token = tokens_of(*keeper);
        }
        plan::Plan plan;
        plan.verbosity = request.verbosity;
        plan.state_dir = request.state_dir;
        const auto state_dir = os::state_dir_path(request.state_dir);
        os::Events events(signals, {});
        report::Narrator narrator(plan, environ, item.id);
        finisher.take_at_engines = [&](const journal::State& other, const lock::Held& others) {
            return take_for_leftover({plan, item.id, main_args, state_dir, events, narrator}, keeper.get(), other,
                                     others);
        };
        rescue::Recovered recovered;
        if (leftover->state.has_failed()) { // while we waited for the lock, another holder may have been killed
            recovered = rescue::finish_unfinished_of(
                std::get<Taken>(taken).locks, runs, known_failed, finisher, os::deadline_after(request.lock_wait),
                signals, [&](auto what, auto object, auto reason) { messages.note(what, object, reason); });
        }
        if (recovered.too_long) {
            return {plan::Plan{}.conflict_exit_code, 0};
        }
        if (recovered.stop == 0) {
            const rescue::Recovered own = rescue::finish_leftover(std::move(*leftover), runs, finisher, signals);
            recovered = {recovered.failed + own.failed, own.stop};
        }
        if (keeper) {
            if (recovered.failed == 0 && recovered.stop == 0) {
                keeper->clean();
            }
            narrator.lock_not_freed(keeper->release(engine::release_patience));
        }
        if (recovered.stop != 0) {
            return {128 + recovered.stop, recovered.stop};
        }
        return {recovered.failed > 0 ? plan::failed_cleanup_status : 0, 0};
    }
    if (const auto* const unreadable = std::get_if<journal::Unreadable>(&found)) {
        messages.error("run " + item.id + " cannot be recovered", {}, unreadable->reason);
        return {plan::own_failure_status, 0};
    }
    if (const auto* const elsewhere = std::get_if<journal::Elsewhere>(&found)) {
        any = true;
        messages.note("run " + item.id + " is of another host, " + elsewhere->state.opened.host_name(), {},
                      report::call_for(request.state_dir) + " --recover " + item.id + " runs its cleanups on this one");
        return {};
    }
    if (std::holds_alternative<journal::Alive>(found) && !request.runs.empty()) {
        messages.error("run " + item.id + " is alive", {}, report::call_for(request.state_dir) + " --status shows it");
        return {plan::own_failure_status, 0};
    }
    return {};
}

} // namespace

plan::ExitStatus recover(const plan::Recover& request, const os::MainArgs& main_args, os::Signals& signals) {
    report::Messages messages(request.verbosity);
    const auto state_dir = os::state_dir_path(request.state_dir);
    const auto runs = journal::Runs::existing(state_dir);
    runs.tidy();
    FoundRuns found = find_runs_or_ended(request.runs, runs, state_dir, messages);
    if (!request.runs.empty()) { // else they are among them
        std::ranges::move(rescue::started_inside(found.runs, runs), std::back_inserter(found.runs));
    }
    rescue::put_in_order(found.runs);
    plan::ExitStatus worst{found.complete ? 0 : plan::own_failure_status, 0};
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); // the orphans of a cleanup are ours to find and reap
    std::set<std::string> known_failed;
    bool any = false;
    for (const journal::Item& item : found.runs) {
        if (is_said_to_be_over(item, runs, request.state_dir, messages)) {
            continue;
        }
        try {
            const plan::ExitStatus status =
                recover_one(item, request, runs, main_args, signals, messages, known_failed, any);
            if (status.signal != 0) {
                return status;
            }
            worst = status.code != 0 ? status : worst;
        } catch (const std::exception& error) { // the others are not to blame
            messages.error("run " + item.id + " cannot be recovered", {}, os::text_of(error));
            worst = {plan::own_failure_status, 0};
        }
    }
    if (!any && worst.code == 0 && request.runs.empty()) {
        messages.note("nothing to recover", state_dir.native());
    }
    return worst;
}

} // namespace finally_run::action
