#include "action/forget.hpp"

#include "action/find_runs.hpp"
#include "journal/ended.hpp"
#include "journal/leftover.hpp"
#include "journal/origin.hpp"
#include "os/error.hpp"
#include "os/process.hpp"
#include "os/state_dir.hpp"
#include "report/call.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>
#include <variant>

namespace finally_run::action {

namespace {

// Whether it is gone; it is said if it is not.
bool remove(const journal::Item& item, report::Messages& messages) {
    const auto remove_from = [](const char* place) {
        const int removed = ::unlink(place);
        return removed < 0 && errno == EISDIR ? ::rmdir(place) : removed; // nobody's run
    };
    if (journal::wherever_it_is(item.path, remove_from) < 0 && errno != ENOENT) {
        const int error = errno;
        messages.error("run " + item.id + " cannot be forgotten", journal::place_of(item.path).native(),
                       os::error_text(error));
        return false;
    }
    return true;
}

// It is over: only what is known of it goes.
bool forget_ended(const journal::Item& item, report::Messages& messages) {
    if (!remove(item, messages)) {
        return false;
    }
    ::unlink(journal::log_beside(item.path).c_str());
    messages.note("forgotten", "run " + item.id, "how it ended");
    return true;
}

} // namespace

plan::ExitStatus forget(const plan::Forget& request) {
    report::Messages messages(request.verbosity);
    const auto state_dir = os::state_dir_path(request.state_dir);
    if (!journal::Runs::exist(state_dir)) {
        return {find_runs(request.runs, {}, messages).complete ? 0 : plan::own_failure_status, 0};
    }
    const journal::Runs runs(state_dir);
    const FoundRuns asked_for = find_runs_or_ended(request.runs, runs, state_dir, messages);
    plan::ExitStatus worst{asked_for.complete ? 0 : plan::own_failure_status, 0};
    for (const journal::Item& item : asked_for.runs) {
        if (item.path != runs.journal_of(item.id)) {
            worst = forget_ended(item, messages) ? worst : plan::ExitStatus{plan::own_failure_status, 0};
            continue;
        }
        const journal::Found found = journal::claim(item.path, journal::Patience::some, journal::Whose::any_host);
        if (std::holds_alternative<journal::Alive>(found)) {
            messages.error("run " + item.id + " is alive", {},
                           "only what is left over can be forgotten; " + report::call_for(request.state_dir) +
                               " --stop " + item.id + " ends it");
            worst = {plan::own_failure_status, 0};
            continue;
        }
        const auto may_read = [](const char* place) { return ::access(place, R_OK); };
        if (std::holds_alternative<journal::Unreadable>(found) && journal::wherever_it_is(item.path, may_read) < 0 &&
            errno == EACCES) {
            // Whether it is locked can only be asked of an open file.
            messages.error("run " + item.id + " cannot be forgotten", {}, "it may be alive, and cannot be opened");
            worst = {plan::own_failure_status, 0};
            continue;
        }
        const auto* const left = std::get_if<journal::Leftover>(&found);
        const journal::Origin origin = left != nullptr ? journal::origin_of(left->state.opened) : journal::Origin();
        if (const auto step = left != nullptr ? journal::living_step(left->state, origin) : std::nullopt) {
            const StillRuns rest = still_runs(*step);
            messages.error("run " + item.id + " cannot be forgotten", rest.what,
                           report::call_for(request.state_dir) + " --recover " + item.id + ' ' + rest.recovery);
            worst = {plan::own_failure_status, 0};
            continue;
        }
        if (left != nullptr && journal::may_live_untold(left->state, origin)) {
            messages.note("run " + item.id, left->state.opened.command,
                          "its processes cannot be told from here, so what still runs of it goes on");
        }
        if (!remove(item, messages)) {
            worst = {plan::own_failure_status, 0};
            continue;
        }
        ::unlink(runs.log_of(item.id).c_str());
        if (left != nullptr) {
            const auto& stack = left->state.stack;
            const auto& failures = left->state.failures;
            const auto say = [&](const plan::Cleanup& cleanup) {
                messages.note("forgotten", plan::name_of(cleanup.kind), cleanup.text);
            };
            std::for_each(stack.rbegin(), stack.rend(), say);
            std::for_each(failures.rbegin(), failures.rend(), [&](const journal::Failure& failure) {
                if (std::ranges::find(stack, failure.cleanup.id, &plan::Cleanup::id) == stack.end()) {
                    say(failure.cleanup);
                }
            });
        } else if (const auto* const unreadable = std::get_if<journal::Unreadable>(&found)) {
            messages.note("forgotten", "run " + item.id, unreadable->reason);
        }
    }
    runs.tidy();
    return worst;
}

} // namespace finally_run::action
