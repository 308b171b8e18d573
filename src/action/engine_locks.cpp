#include "action/engine_locks.hpp"

#include "engine/await.hpp"
#include "engine/lookup.hpp"
#include "journal/leftover.hpp"
#include "journal/runs.hpp"
#include "os/boot.hpp"
#include "os/ci.hpp"
#include "os/variables.hpp"
#include "report/text.hpp"
#include "rescue/leftovers.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <span>
#include <unistd.h>
#include <utility>
#include <vector>

namespace finally_run::action {

namespace {

bool is_at_engine(const plan::LockRequest& lock) { return lock.is_at_engine(); }

// Each once, exclusive if either is; in an order that is the same for every run on every machine.
std::vector<plan::LockRequest> locks_at_engines(const plan::Plan& plan) {
    std::vector<plan::LockRequest> locks;
    std::ranges::copy_if(plan.locks, std::back_inserter(locks), is_at_engine);
    std::ranges::sort(
        locks, [](const auto& a, const auto& b) { return std::pair(a.name, a.shared) < std::pair(b.name, b.shared); });
    const auto same = [](const auto& a, const auto& b) { return a.name == b.name; };
    locks.erase(std::unique(locks.begin(), locks.end(), same), locks.end());
    return locks;
}

// What the run was told.
std::string token_in(const journal::Found& found) {
    std::string tokens;
    for (const journal::EngineLock& lock : std::get<journal::Leftover>(found).state.engine_locks) {
        tokens.append(tokens.empty() ? "" : " ").append(lock.held.token);
    }
    return tokens;
}

// In the keeper: supervisor and guardian are gone, and we still hold all locks. Is the run clean now?
bool finish_as_keeper(const Beginning& run, const plan::LookForLoss& loss, bool was_clean) {
    const auto runs = journal::Runs::existing(run.state_dir);
    const auto path = runs.journal_of(run.run_id);
    const auto say = [&](auto what, auto object, auto reason) { run.narrator.noted(what, object, reason); };
    // Nothing had begun, or all is done: then there is nothing to claim.
    const auto before = journal::read_state(path);
    const bool is_clean = before && before->is_done() && (before->begun ? !before->has_given_up() : was_clean);
    for (;;) {
        journal::Found found = journal::claim_own(path, journal::Patience::some);
        if (std::holds_alternative<journal::Alive>(found)) { // a child that is about to become a step, say
            static_cast<void>(rescue::wait_for_other(path, run.events.signals(), std::nullopt, say));
            continue;
        }
        if (const auto* const unreadable = std::get_if<journal::Unreadable>(&found)) {
            run.narrator.failed("run " + run.run_id + " cannot be recovered", {}, unreadable->reason);
        }
        auto* const leftover = std::get_if<journal::Leftover>(&found);
        if (leftover == nullptr) {
            return is_clean;
        }
        const rescue::Finisher finisher{.by = plan::Actor::keeper,
                                        .verbosity = run.plan.verbosity,
                                        .state_dir = run.plan.state_dir,
                                        .lock_token = token_in(found),
                                        .lock_loss = loss};
        const bool complete = leftover->file.damage().empty();
        const auto recovered = rescue::finish_leftover(std::move(*leftover), runs, finisher, run.events.signals());
        return complete && recovered.failed == 0;
    }
}

} // namespace

std::string why_unknown(const plan::LockRequest& lock) {
    if (!lock.is_at_engine()) {
        return {};
    }
    const auto where = engine::directories();
    if (engine::find_helper(lock.engine(), where)) {
        return {};
    }
    const std::string found = report::listed(engine::engines(where));
    return "there is no finally-run-lock-" + std::string(lock.engine()) +
           " beside finally-run, in ../libexec/finally-run or in PATH; lock engines found: " +
           (found.empty() ? "none" : found) + "; a local lock with a colon in its name needs a slash, as in ./NAME";
}

bool engines_are_known(const plan::Plan& plan, report::Narrator& narrator) {
    for (const plan::LockRequest& lock : plan.locks) {
        if (const std::string reason = why_unknown(lock); !reason.empty()) {
            narrator.failed("--lock", lock.name, reason);
            return false;
        }
    }
    return true;
}

std::string holder_text(const plan::Plan& plan, const std::string& run_id) {
    constexpr std::size_t longest = 200;
    std::string command;
    for (const char* const word : plan.command) {
        command.append(command.empty() ? "" : " ").append(word);
        command.resize(std::min(command.size(), longest));
    }
    std::ranges::replace_if(
        command, [](unsigned char c) { return c < ' ' || c == '\x7f'; }, ' ');
    const std::string job = os::job_url(os::variable);
    return "host " + os::host_name() + ", run " + run_id + ", pid " + std::to_string(::getpid()) + ": " + command +
           (job.empty() ? "" : ", " + job);
}

std::variant<std::unique_ptr<engine::Keeper>, plan::RunEnd>
take_engine_locks(const Beginning& beginning, const lock::Held& held, const os::BootDeadline& deadline) {
    const auto locks = locks_at_engines(beginning.plan);
    if (locks.empty()) {
        return nullptr;
    }
    const auto where = engine::directories();
    std::vector<engine::Wanted> wanted;
    for (const plan::LockRequest& lock : locks) {
        const auto program = engine::find_helper(lock.engine(), where);
        wanted.push_back({lock.name, std::string(lock.name_there()), program.value_or(""), lock.shared});
    }
    std::vector<int> shared;
    for (const lock::LockFile& file : held) {
        shared.push_back(file.fd.get());
    }
    const bool may_wait = beginning.plan.lock_wait != text::Limit(text::Duration::zero());
    engine::Keeper::Told told{holder_text(beginning.plan, beginning.run_id), {}, beginning.plan.lock_ttl};
    if (deadline) {
        const text::Duration left = may_wait ? *deadline - os::BootClock::now() : text::Duration::zero();
        told.wait = std::max(left, text::Duration::zero());
    }
    report::Narrator& narrator = beginning.narrator;
    auto keeper = std::make_unique<engine::Keeper>(
        std::move(wanted), told, beginning.run_id, beginning.main_args, beginning.events.signals(), std::move(shared),
        [&](const std::string& name, std::string_view line) { narrator.noted("lock", name, line); },
        [&](const std::string& name, std::string_view why) {
            narrator.lock_not_freed(plan::LockLoss{{name}, std::string(why)});
        },
        [&](const auto& loss, bool was_clean) { return finish_as_keeper(beginning, loss, was_clean); });
    const auto while_waiting = [&](const std::string& name, const std::string& holder, text::Duration waited) {
        return narrator.lock_awaited(name, holder, waited);
    };
    // One that may not wait is told so; but its engine may not answer at all.
    const auto limit = may_wait ? deadline : os::boot_deadline_after(engine::answer_patience);
    const auto start = os::Clock::now();
    const auto outcome = engine::await(*keeper, limit, beginning.events, while_waiting);
    narrator.lock_wait_over(os::Clock::now() - start);
    if (std::holds_alternative<engine::Had>(outcome)) {
        return keeper;
    }
    // It leaves the queue there in its own time: what the user has asked for is that we return now.
    constexpr text::Duration moment = std::chrono::milliseconds(20);
    static_cast<void>(keeper->release(moment));
    lock::release(held); // the keeper may have them for some time yet
    if (const auto* const interrupted = std::get_if<os::Interrupted>(&outcome)) {
        return plan::interrupted_by(interrupted->signal, interrupted->caller_gone);
    }
    const auto& not_had = std::get<engine::NotHad>(outcome);
    narrator.lock_not_had(not_had);
    const int status = not_had.busy ? beginning.plan.conflict_exit_code : plan::own_failure_status;
    return plan::RunEnd{{plan::Result::not_started, status, 0}, {status, 0}};
}

rescue::AtEngines take_for_leftover(const Beginning& run, engine::Keeper* ours, const journal::State& leftover,
                                    const lock::Held& others) {
    const auto held_by = [](const engine::Keeper* keeper, const std::string& name) {
        const auto is_it = [&](const engine::HeldLock& lock) { return lock.name == name; };
        const bool is_held = keeper != nullptr && std::ranges::any_of(keeper->held(), is_it);
        return is_held ? &*std::ranges::find_if(keeper->held(), is_it) : nullptr;
    };
    plan::Plan plan = rescue::plan_of(leftover.opened, run.plan.verbosity);
    plan.state_dir = run.plan.state_dir;
    plan.lock_wait = text::Duration::zero();
    plan.lock_ttl = run.plan.lock_ttl;
    for (const journal::EngineLock& lock : leftover.engine_locks) {
        if (held_by(ours, lock.held.name) == nullptr) {
            plan.locks.push_back({lock.held.name, lock.held.shared});
        }
    }
    const std::string& id = leftover.opened.run_id;
    report::Narrator narrator(plan, environ, id);
    std::shared_ptr<engine::Keeper> keeper;
    if (!plan.locks.empty()) {
        const Beginning beginning{plan, id, run.main_args, run.state_dir, run.events, narrator};
        auto taken = engines_are_known(plan, narrator)
                         ? take_engine_locks(beginning, others, os::boot_deadline_after(plan.lock_wait))
                         : plan::RunEnd{plan::own_failure, {plan::own_failure_status, 0}};
        if (const auto* const end = std::get_if<plan::RunEnd>(&taken)) {
            narrator.failed("run " + id + " is not finished yet", leftover.opened.command, "its lock is not free");
            return {.had = false, .stop = end->status.signal};
        }
        keeper = std::get<std::unique_ptr<engine::Keeper>>(std::move(taken));
    }
    rescue::AtEngines at_engines;
    for (const journal::EngineLock& lock : leftover.engine_locks) {
        const auto* held = held_by(ours, lock.held.name);
        held = held != nullptr ? held : held_by(keeper.get(), lock.held.name);
        if (held != nullptr) {
            at_engines.token.append(at_engines.token.empty() ? "" : " ").append(held->token);
        }
    }
    at_engines.loss = [=]() -> std::optional<plan::LockLoss> {
        for (engine::Keeper* const one : {keeper.get(), ours}) {
            if (one != nullptr && one->loss()) {
                return one->loss();
            }
        }
        return std::nullopt;
    };
    at_engines.give_back = [=](bool clean) {
        if (keeper && clean) {
            keeper->clean();
        }
        if (keeper) {
            static_cast<void>(keeper->release(engine::release_patience)); // of a run that was left, on the way to ours
        }
    };
    return at_engines;
}

std::string tokens_of(const engine::Keeper& keeper) {
    std::string tokens;
    for (const engine::HeldLock& lock : keeper.held()) {
        tokens.append(tokens.empty() ? "" : " ").append(lock.token);
    }
    return tokens;
}

std::string tokens_of(const plan::Plan& plan, const engine::Keeper& keeper) {
    std::string tokens;
    for (const plan::LockRequest& lock : plan.locks) {
        const auto held = std::ranges::find(keeper.held(), lock.name, &engine::HeldLock::name);
        if (held != keeper.held().end() && lock.is_at_engine()) {
            tokens.append(tokens.empty() ? "" : " ").append(held->token);
        }
    }
    return tokens;
}

} // namespace finally_run::action
