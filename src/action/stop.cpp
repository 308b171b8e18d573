#include "action/stop.hpp"

#include "action/find_runs.hpp"
#include "journal/file.hpp"
#include "journal/leftover.hpp"
#include "journal/origin.hpp"
#include "journal/runs.hpp"
#include "lock/waiter.hpp"
#include "os/clock.hpp"
#include "os/events.hpp"
#include "os/process.hpp"
#include "os/state_dir.hpp"
#include "report/call.hpp"
#include "report/messages.hpp"
#include "rescue/inner_runs.hpp"
#include "rescue/order.hpp"
#include "rescue/stopper.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>
#include <variant>

namespace finally_run::action {

namespace {

// Whoever works on the run starts its next process without telling us.
constexpr auto next_look = std::chrono::milliseconds(50);

// What becomes of one that nobody works on (any more): nothing of it changes by itself.
plan::ExitStatus say_how_it_is(const journal::Item& item, const plan::Stop& request, report::Messages& messages) {
    std::string error;
    const auto state = journal::read_state(item.path, &error);
    if (!journal::is_there(item.path)) {
        return {};
    }
    const std::string run = "run " + item.id;
    const std::string program = report::call_for(request.state_dir);
    if (!state) {
        messages.error(run + " cannot be stopped", {}, error);
        return {plan::own_failure_status, 0};
    }
    if (!state->over) {
        const auto step = journal::living_step(*state, journal::origin_of(state->opened));
        const StillRuns rest = step ? still_runs(*step) : StillRuns{{}, "finishes it"};
        messages.error(run + " is not alive", rest.what, program + " --recover " + item.id + ' ' + rest.recovery);
        return {plan::own_failure_status, 0};
    }
    if (!state->failures.empty()) {
        const journal::Failure& last = state->failures.back();
        messages.note(run + " is over and has failed to clean up", last.cleanup.text,
                      last.how.error + ": " + program + " --recover " + item.id + " tries again, --forget " + item.id +
                          " drops it");
    }
    return {};
}

// Whether its processes can be told from here.
bool is_told_from_here(const journal::State& state) {
    const journal::Origin origin = journal::origin_of(state.opened);
    return origin.same_host && origin.same_boot && origin.pids == journal::Pids::same;
}

struct Target {
    journal::File file;
    rescue::Stopper stopper;

    // Throws std::system_error: ENOENT if it has just ended.
    Target(const std::filesystem::path& journal, const rescue::Stopper::Trouble& trouble)
        : file(journal::File::open(journal)), stopper(file, trouble) {}
};

// The runs inside a cleanup that are at a cleanup of their own. Each is told to stop with that cleanup, and killed
// after the grace period, but its guardian goes on then: nothing else ends what hangs there. Those around us are not
// meant.
void add_cleaning_inside(const journal::Item& item, const journal::Runs& runs, const rescue::Stopper::Trouble& trouble,
                         std::list<Target>& targets) {
    for (const journal::Item& inner : rescue::started_inside({item}, runs)) {
        const auto state = journal::read_state(inner.path);
        if (!state || !state->cleans_up() || !is_told_from_here(*state) || rescue::is_around_us(inner.path)) {
            continue;
        }
        try {
            if (!targets.emplace_back(inner.path, trouble).file.is_locked_by_other()) {
                targets.pop_back();
            }
        } catch (const std::system_error&) { // it has just ended
        }
    }
}

plan::ExitStatus stop_one(const journal::Item& item, const journal::Runs& runs, const plan::Stop& request,
                          os::Signals& signals, report::Messages& messages) {
    const auto trouble = [&](std::string_view reason) {
        messages.note("journal", "cannot be written, so that each further try of the cleanup begins first", reason);
    };
    std::list<Target> targets;
    try {
        targets.emplace_back(item.path, trouble);
    } catch (const std::system_error& error) {
        if (error.code() == std::errc::no_such_file_or_directory) {
            return {}; // it has just ended
        }
        throw;
    }
    Target& outermost = targets.front();
    if (!outermost.file.is_locked_by_other()) {
        return say_how_it_is(item, request, messages);
    }
    const auto begun_with = journal::read_state(item.path);
    if (begun_with && !is_told_from_here(*begun_with)) {
        messages.error("run " + item.id + " cannot be stopped", {}, "its processes cannot be told from here");
        return {plan::own_failure_status, 0};
    }
    if (begun_with && begun_with->cleans_up()) {
        add_cleaning_inside(item, runs, trouble, targets);
    }
    const os::Deadline deadline = os::deadline_after(request.wait);
    os::Events events(signals, {});
    lock::Waiter over(outermost.file.fd(), LOCK_EX);
    const bool waits_for_us = rescue::are_in_cleanup() && rescue::is_around_us(item.path);
    for (;;) {
        os::Deadline next_kill;
        for (Target& target : targets) {
            if (const auto state = journal::read_state(target.file.path())) {
                target.stopper.look(*state);
            }
            target.stopper.kill_if_due();
            next_kill = os::earliest({next_kill, target.stopper.next_kill()});
        }
        if (waits_for_us && !outermost.stopper.may_kill()) {
            messages.error("run " + item.id + " has been told to stop, and is not waited for", {}, rescue::for_itself);
            return {plan::Plan{}.conflict_exit_code, 0};
        }
        const os::Event event =
            events.wait(os::earliest({deadline, next_kill, os::deadline_after(next_look)}), over.ready_fd());
        if (std::holds_alternative<os::Readable>(event)) {
            static_cast<void>(over.result());
            return say_how_it_is(item, request, messages);
        }
        const auto* const signal = std::get_if<os::Signal>(&event);
        if (const int ending = signal != nullptr ? os::ends_a_wait(*signal) : 0; ending != 0) {
            return {128 + ending, ending};
        }
        if (os::has_passed(deadline)) {
            messages.error("run " + item.id + " has been told to stop, and is not over", {},
                           report::call_for(request.state_dir) + " --status shows it");
            return {plan::Plan{}.conflict_exit_code, 0};
        }
    }
}

} // namespace

plan::ExitStatus stop(const plan::Stop& request, os::Signals& signals) {
    report::Messages messages(request.verbosity);
    const auto state_dir = os::state_dir_path(request.state_dir);
    const auto runs = journal::Runs::existing(state_dir);
    const FoundRuns found = find_runs_or_ended(request.runs, runs, state_dir, messages);
    plan::ExitStatus worst{found.complete ? 0 : plan::own_failure_status, 0};
    for (const journal::Item& item : found.runs) {
        if (is_said_to_be_over(item, runs, request.state_dir, messages)) {
            continue;
        }
        const plan::ExitStatus status = stop_one(item, runs, request, signals, messages);
        if (status.signal != 0) {
            return status;
        }
        worst = status.code != 0 ? status : worst;
    }
    return worst;
}

} // namespace finally_run::action
