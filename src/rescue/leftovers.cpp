#include "rescue/leftovers.hpp"

#include "cleanup/fresh_directory.hpp"
#include "journal/file.hpp"
#include "journal/origin.hpp"
#include "lock/lock_id.hpp"
#include "lock/waiter.hpp"
#include "os/error.hpp"
#include "os/place.hpp"
#include "os/reminder.hpp"
#include "os/variables.hpp"
#include "report/call.hpp"
#include "report/ended.hpp"
#include "report/text.hpp"
#include "rescue/make_room.hpp"
#include "rescue/order.hpp"
#include "rescue/take_over.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <iterator>
#include <optional>
#include <set>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace finally_run::rescue {

namespace {

bool is_held(const journal::LockId& theirs, const lock::Held& held) {
    return std::ranges::any_of(held, [&](const lock::LockFile& ours) { return lock::is_lock(theirs, ours); });
}

journal::Tags tags_of(const lock::Held& held) {
    std::vector<journal::LockId> ids;
    std::ranges::transform(held, std::back_inserter(ids), lock::id_of);
    return journal::tags_of(ids);
}

// Those that need a lock of ours.
bool concerns(const journal::Opened& opened, const lock::Held& held) {
    return std::ranges::any_of(opened.locks, [&](const journal::LockId& theirs) { return is_held(theirs, held); });
}

// We hold the lock that it held, so it cannot be running: whoever has its journal is finishing it.
bool must_be_dead(const journal::Opened& opened, const lock::Held& held) {
    return std::ranges::any_of(opened.locks, [&](const journal::LockId& theirs) {
        return std::ranges::any_of(held, [&](const lock::LockFile& ours) {
            return lock::is_lock(theirs, ours) && lock::is_file(theirs, ours.device, ours.inode) &&
                   !(theirs.shared && ours.shared);
        });
    });
}

// The locks of a leftover that we do not hold anyway. Nobody waits here: in this order two could wait for each other,
// and whoever has one of them must finish the same leftover first, so waits for us.
lock::Held take_others(const journal::Opened& opened, const lock::Held& held) {
    lock::Held others;
    for (const journal::LockId& theirs : opened.locks) {
        if (is_held(theirs, held)) {
            continue;
        }
        try {
            if (auto file = lock::take_if_free(theirs)) {
                others.push_back(std::move(*file));
            }
        } catch (const std::system_error&) { // its directory is gone: then nobody has it
        }
    }
    return others;
}

void tell(const journal::Item& item, const journal::Runs& runs, const plan::Plan& plan, report::Narrator& narrator) {
    // Whoever lives is passed over at the first look, and so is who is being finished: the next start tells.
    const journal::Found found = journal::look_at(item.path);
    const auto* const leftover = std::get_if<journal::Leftover>(&found);
    const auto* const unreadable = std::get_if<journal::Unreadable>(&found);
    if (leftover == nullptr && unreadable == nullptr) {
        return;
    }
    const auto tags = leftover != nullptr ? journal::tags_of(leftover->state.opened) : journal::Tags();
    if (!runs.mark_told(item.id, tags)) {
        return;
    }
    if (leftover != nullptr && leftover->state.has_failed()) {
        narrator.failures_stay(leftover->state);
    } else if (leftover != nullptr) {
        narrator.noted("run " + item.id + " was left unfinished", leftover->state.opened.command,
                       report::call_for(plan.state_dir) + " --recover finishes it");
    } else {
        narrator.failed("run " + item.id + " was left unfinished and cannot be recovered", {}, unreadable->reason);
    }
}

// Secrets were not written down: they are whoever's who recovers. Returns the names of those that are not set here.
std::vector<std::string> take_withheld(const std::vector<std::string>& names, const char* const* ours,
                                       os::Environment& environment) {
    std::vector<std::string> missing;
    for (const std::string& name : names) {
        if (const char* const value = os::variable_in(ours, name); value != nullptr) {
            environment.set(name, value);
        } else {
            missing.push_back(name);
        }
    }
    return missing;
}

} // namespace

plan::Plan plan_of(const journal::Opened& opened, plan::Verbosity verbosity) {
    plan::Plan plan;
    plan.stop_signal = opened.stop_signal;
    plan.grace = opened.grace;
    plan.cleanup_timeout = opened.cleanup_timeout;
    plan.cleanup_retries = opened.cleanup_retries;
    plan.failed_cleanups = opened.drops_failed ? plan::FailedCleanups::drop : plan::FailedCleanups::keep;
    plan.verbosity = verbosity;
    return plan;
}

Recovered finish_leftover(journal::Leftover leftover, const journal::Runs& runs, const Finisher& finisher,
                          os::Signals& signals) {
    const journal::Opened opened = leftover.state.opened;
    plan::Plan plan = plan_of(opened, finisher.verbosity);
    plan.state_dir = finisher.state_dir;
    plan.cleanup_retries = finisher.cleanup_retries.value_or(plan.cleanup_retries);
    plan.cleanup_timeout = finisher.cleanup_timeout.value_or(plan.cleanup_timeout);
    if (leftover.state.report) {
        plan.report = leftover.state.report->path;
    }
    const journal::Origin origin = journal::origin_of(opened);
    std::vector<std::string> kept = opened.environment;
    std::vector<char*> entries;
    entries.reserve(kept.size() + 1);
    for (std::string& entry : kept) {
        entries.push_back(entry.data());
    }
    entries.push_back(nullptr);
    os::Environment environment(entries.data());
    const std::vector<std::string> missing =
        take_withheld(opened.withheld, finisher.secrets != nullptr ? finisher.secrets : environ, environment);
    environment.set("FINALLY_RUN_ID", opened.run_id);
    environment.set("FINALLY_RUN_JOURNAL", leftover.file.path().native());
    if (!leftover.state.engine_locks.empty()) {
        environment.set("FINALLY_RUN_LOCK_TOKEN", finisher.lock_token);
    }
    report::Narrator narrator(plan, environ, opened.run_id);
    narrator.report_on(leftover.state);
    cleanup::Output output(runs.log_of(opened.run_id), [&] { return report::log_head(opened); });
    os::Events events(signals, {});
    events.work_beside(finisher.beside);

    if (!missing.empty()) {
        narrator.noted("run " + opened.run_id, opened.command,
                       "not kept and not set here, so a cleanup that needs one fails and stays: " +
                           report::listed(missing));
    }
    cleanup::Stack stack(
        std::move(leftover.file), std::move(leftover.state),
        [&](std::string_view what, std::string_view reason) { narrator.journal_trouble(what, reason); });
    const os::Fd directory = os::open_place(opened.place, origin.same_boot);
    std::optional<cleanup::FreshDirectory> fresh;
    if (!directory) {
        narrator.noted(opened.place.path.empty() ? "directory of run " + opened.run_id : opened.place.path,
                       errno == ESTALE ? "it is not the directory that the run began in" : os::error_text(errno),
                       "its cleanups run in an empty directory");
        fresh.emplace();
    }
    if (journal::may_live_untold(stack.read_state(), origin)) {
        narrator.noted("run " + opened.run_id, opened.command,
                       "its processes cannot be told from here, so none is looked for or stopped");
    }
    const DeadRun dead_run{.stack = stack,
                           .plan = plan,
                           .environment = environment,
                           .output = output,
                           .origin = origin,
                           .directory = fresh ? fresh->fd() : directory.get(),
                           .mask = opened.mask,
                           .missing = missing,
                           .lock_loss = stack.read_state().engine_locks.empty() ? nullptr : finisher.lock_loss};
    const Rescued end = take_over(finisher.by, dead_run, events, narrator);
    narrator.output_ends(output, end.failed, stack);
    if (end.stop == 0) { // else the run is not over
        narrator.write_report(end.ending, finisher.by);
    }
    make_room(stack);
    if (!stack.file().is_there()) {
        ::unlink(runs.log_of(opened.run_id).c_str()); // of whoever failed before, if the run is not to be remembered
        runs.forget_tags(opened.run_id, journal::tags_of(opened));
    } else if (stack.read_state().has_failed()) {
        static_cast<void>(runs.mark_told(opened.run_id, journal::tags_of(opened))); // just now
    }
    return {end.failed, end.stop};
}

Waited wait_for_other(const std::filesystem::path& path, os::Signals& signals, const os::Deadline& deadline,
                      const Say& say) {
    std::optional<journal::File> file;
    try {
        file = journal::File::open(path);
    } catch (const std::system_error&) { // it has just been finished
        return {};
    }
    if (os::has_passed(deadline)) {
        return {.too_long = !file->try_lock()};
    }
    os::Events events(signals, {});
    os::Reminder reminder;
    lock::Waiter waiter(file->fd(), LOCK_EX);
    for (;;) {
        const os::Event event = events.wait(os::earliest({deadline, reminder.next()}), waiter.ready_fd());
        if (std::holds_alternative<os::Readable>(event)) {
            static_cast<void>(waiter.result()); // joins its thread: we may fork soon
            return {};
        }
        const auto* const signal = std::get_if<os::Signal>(&event);
        if (const int ending = signal != nullptr ? os::ends_a_wait(*signal) : 0; ending != 0) {
            return {.stop = ending};
        }
        if (os::has_passed(deadline)) {
            return {.too_long = true};
        }
        if (const auto state = reminder.is_due() ? journal::read_state(path) : std::nullopt) {
            say("waiting " + report::age_text(reminder.so_far()) + " for the cleanups of run " + state->opened.run_id,
                state->opened.command, "pid " + std::to_string(state->at_work()) + " is at them");
        }
    }
}

namespace {

// Each time: the mark that a person has been told is for the people of its own host.
void say_of_other_host(const journal::Opened& opened, const Finisher& finisher, const Say& say) {
    say("run " + opened.run_id + " was left unfinished on another host, " + opened.host_name(), opened.command,
        report::call_for(finisher.state_dir) + " --recover " + opened.run_id + " runs its cleanups on this one");
}

// Whoever has it has done all that it will do: it only has to end, and then others may try again what has failed.
bool is_about_to_end(const journal::Item& item) {
    const auto state = journal::read_state(item.path);
    return state && state->over;
}

// Then its lock is free in a moment, whether the lock of the run is the one that we have or has been made anew since.
bool is_only_looked_at(const journal::Item& item) {
    try {
        return !journal::File::open_to_read(item.path).is_locked_by_other();
    } catch (const std::system_error&) { // it is gone, or the next claim tells what is wrong with it
        return false;
    }
}

// Its cleanups run with all of its locks at engines held, or not at all.
Recovered finish_with_its_engines(journal::Leftover leftover, const lock::Held& others, const journal::Runs& runs,
                                  Finisher finisher, os::Signals& signals) {
    if (leftover.state.engine_locks.empty() || !finisher.take_at_engines) {
        return finish_leftover(std::move(leftover), runs, finisher, signals);
    }
    const AtEngines at_engines = finisher.take_at_engines(leftover.state, others);
    if (!at_engines.had) {
        return {leftover.state.stack.size(), at_engines.stop};
    }
    finisher.lock_token = at_engines.token;
    finisher.lock_loss = at_engines.loss;
    const Recovered recovered = finish_leftover(std::move(leftover), runs, finisher, signals);
    at_engines.give_back(recovered.failed == 0 && recovered.stop == 0);
    return recovered;
}

// Takes over those that are left of `ours`, which held one of our locks, and waits for whoever is at one of them.
Recovered finish_each(const std::vector<journal::Item>& ours, const lock::Held& locks, const journal::Runs& runs,
                      const Finisher& finisher, const os::Deadline& deadline, os::Signals& signals, const Say& say) {
    Recovered all;
    for (const journal::Item& item : ours) {
        const auto state = journal::read_state(item.path);
        if (!state) {
            continue; // finished in the meantime
        }
        journal::Found found = journal::claim(item.path, journal::Patience::some);
        while (std::holds_alternative<journal::Alive>(found) &&
               (must_be_dead(state->opened, locks) || is_about_to_end(item) || is_only_looked_at(item))) {
            const Waited waited = wait_for_other(item.path, signals, deadline, say);
            if (waited.stop != 0 || waited.too_long) {
                if (waited.too_long) {
                    say("lock", locks.front().name,
                        "its last holder is still cleaning up, run " + state->opened.run_id);
                }
                return {all.failed, waited.stop, waited.too_long};
            }
            found = journal::claim(item.path, journal::Patience::some);
        }
        if (auto* const leftover = std::get_if<journal::Leftover>(&found)) {
            const lock::Held others = take_others(state->opened, locks);
            const Recovered one = finish_with_its_engines(std::move(*leftover), others, runs, finisher, signals);
            all.failed += one.failed;
            if (one.stop != 0) {
                return {all.failed, one.stop};
            }
        } else if (std::holds_alternative<journal::Elsewhere>(found) && finisher.verbosity != plan::Verbosity::quiet) {
            say_of_other_host(state->opened, finisher, say);
        }
    }
    return all;
}

} // namespace

Recovered finish_runs_of(const lock::Held& locks, const journal::Runs& runs, const plan::Plan& plan,
                         const os::Deadline& deadline, os::Signals& signals, report::Narrator& narrator,
                         const TakeAtEngines& take_at_engines) {
    const bool silent = plan.verbosity == plan::Verbosity::quiet || !narrator.is_heard();
    std::vector<journal::Item> others = runs.items_with(tags_of(locks));
    const auto is_ours = [&](const journal::Item& item) {
        const auto state = locks.empty() ? std::nullopt : journal::read_state(item.path);
        return state && concerns(state->opened, locks);
    };
    const auto first_other = std::stable_partition(others.begin(), others.end(), is_ours);
    std::vector<journal::Item> ours(others.begin(), first_other);
    others.erase(others.begin(), first_other);
    if (!ours.empty()) {
        std::ranges::move(started_inside(ours, runs), std::back_inserter(ours));
    }
    // It may have been damaged since it was told of.
    const auto is_unreadable = [](const journal::Item& item) {
        return !journal::read_state(item.path) && journal::is_there(item.path);
    };
    for (const journal::Item& item : others) {
        if (!silent && std::ranges::find(ours, item.id, &journal::Item::id) == ours.end() &&
            (!item.told || is_unreadable(item))) {
            tell(item, runs, plan, narrator);
        }
    }
    put_in_order(ours);
    const Finisher finisher{.by = plan::Actor::next_holder,
                            .verbosity = plan.verbosity,
                            .state_dir = plan.state_dir,
                            .take_at_engines = take_at_engines};
    return finish_each(ours, locks, runs, finisher, deadline, signals,
                       [&](auto what, auto object, auto reason) { narrator.noted(what, object, reason); });
}

void finish_inner_runs(const std::filesystem::path& journal, const plan::Plan& plan, const os::Environment& environment,
                       os::Events& events, report::Narrator& narrator) noexcept {
    try {
        const auto runs = journal::Runs::existing(journal::state_dir_of(journal));
        auto inner = started_inside({{journal.stem().native(), journal, false}}, runs);
        put_in_order(inner);
        const Finisher finisher{.by = plan::Actor::recovery,
                                .verbosity = plan.verbosity,
                                .state_dir = plan.state_dir,
                                .take_at_engines = [](auto&, auto&) { return AtEngines{.had = false}; },
                                .secrets = environment.block(),
                                .beside = events.beside()};
        static_cast<void>(
            finish_each(inner, {}, runs, finisher, std::nullopt, events.signals(),
                        [&](auto what, auto object, auto reason) { narrator.noted(what, object, reason); }));
    } catch (const std::exception& error) {
        narrator.failed("the runs inside this one cannot be looked at", {}, os::text_of(error));
    }
}

Recovered finish_unfinished_of(const lock::Held& locks, const journal::Runs& runs, std::set<std::string>& known_failed,
                               const Finisher& finisher, const os::Deadline& deadline, os::Signals& signals,
                               const Say& say) {
    std::vector<journal::Item> ours = runs.items_with(tags_of(locks));
    std::erase_if(ours, [&](const journal::Item& item) {
        if (known_failed.contains(item.id)) {
            return true;
        }
        const auto state = journal::read_state(item.path);
        if (state && state->has_failed()) {
            known_failed.insert(item.id);
            return true;
        }
        return !state || !concerns(state->opened, locks);
    });
    put_in_order(ours);
    return finish_each(ours, locks, runs, finisher, deadline, signals, say);
}

} // namespace finally_run::rescue
