// What may be asked for in place of a run: --defer, --status, --recover, --stop and --forget.
#include "cli/action.hpp"

#include "cli/environment.hpp"
#include "cli/usage_error.hpp"
#include "text/visible.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <unistd.h>
#include <utility>

namespace finally_run::cli {

namespace {

constexpr auto with_defer = std::to_array({Id::quiet, Id::verbose});
constexpr auto with_status = std::to_array({Id::json, Id::all_users, Id::state_dir, Id::quiet, Id::verbose});
constexpr auto with_recover = std::to_array(
    {Id::wait, Id::no_wait, Id::cleanup_timeout, Id::cleanup_retries, Id::state_dir, Id::quiet, Id::verbose});
constexpr auto with_stop = std::to_array({Id::wait, Id::no_wait, Id::state_dir, Id::quiet, Id::verbose});
constexpr auto with_forget = std::to_array({Id::state_dir, Id::quiet, Id::verbose});

// Empty for what is no action.
std::span<const Id> companions_of(Id action) {
    switch (action) {
    case Id::defer:
        return with_defer;
    case Id::status:
        return with_status;
    case Id::recover:
        return with_recover;
    case Id::stop:
        return with_stop;
    case Id::forget:
        return with_forget;
    default:
        return {};
    }
}

bool is_action(const Option& option) { return !companions_of(option.id).empty(); }

// "--wait, --state-dir and --quiet"
std::string list_of(std::span<const Id> options) {
    std::string list;
    for (std::size_t i = 0; i < options.size(); ++i) {
        if (i > 0) {
            list += i + 1 < options.size() ? ", " : " and ";
        }
        list += long_form(option_of(options[i]));
    }
    return list;
}

void refuse_other_options(const Option& action, const Scan& scan) {
    bool seen = false;
    for (const Option* const option : scan.options) {
        if (option->id == action.id) {
            // With a value the last one would count, and a cleanup be lost without a word.
            if (seen && !action.value.empty()) {
                throw UsageError(long_form(action) + ": given twice: it takes one " + std::string(action.value));
            }
            seen = true;
        } else if (is_action(*option)) {
            throw UsageError(long_form(*option) + ": contradicts " + long_form(action) + ": give only one of them");
        } else if (!goes_with(*option, action)) {
            throw UsageError(long_form(*option) + ": means nothing to " + long_form(action) + ": that goes with " +
                             list_of(companions_of(action.id)));
        }
    }
}

void refuse_other_words(const Option& action, std::span<char* const> others) {
    if (!others.empty()) {
        throw UsageError(long_form(action) + ": unwanted word: " + text::visible(others.front(), word_limit) +
                         (action.value.empty() ? ": it takes none" : ": CMD is one word, so put it in quotes"));
    }
}

std::vector<std::string> runs_of(const Option& action, const Scan& scan) {
    std::vector<std::string> runs;
    for (const auto word : scan.runs) {
        runs.push_back(run_id(action, word));
    }
    return runs;
}

} // namespace

const Option* action_in(const Scan& scan) {
    const auto found = std::ranges::find_if(scan.options, [](const Option* option) { return is_action(*option); });
    return found == scan.options.end() ? nullptr : *found;
}

bool goes_with(const Option& option, const Option& action) {
    const auto companions = companions_of(action.id);
    return std::ranges::find(companions, option.id) != companions.end();
}

void refuse_what_does_not_go_with(const Option& action, const Scan& scan, std::span<char* const> words) {
    refuse_other_words(action, words.subspan(scan.command));
    refuse_other_options(action, scan);
}

Action action_of(const Option& action, const Scan& scan, Values values) {
    plan::Plan& plan = values.plan;
    if (action.id == Id::defer) {
        return plan::Defer{std::move(values.deferred)};
    }
    if (action.id == Id::status) {
        const bool all_users = contains(scan, Id::all_users);
        if (all_users && (::getuid() != 0 || ::geteuid() != 0)) {
            throw UsageError("--all-users: only root may look into other users' directories: leave it out");
        }
        return plan::Status{.json = contains(scan, Id::json),
                            .verbose = plan.verbosity == plan::Verbosity::verbose,
                            .all_users = all_users,
                            .strange_variables = variables_of_no_option(),
                            .state_dir = std::move(plan.state_dir)};
    }
    auto runs = runs_of(action, scan);
    if (action.id == Id::recover) {
        plan::Recover recover{std::move(runs), std::move(plan.state_dir), plan.lock_wait, plan.verbosity};
        // Only what is asked for now: a default is for the runs that begin with it.
        if (contains(scan, Id::cleanup_retries)) {
            recover.cleanup_retries = plan.cleanup_retries;
        }
        if (contains(scan, Id::cleanup_timeout)) {
            recover.cleanup_timeout = plan.cleanup_timeout;
        }
        return recover;
    }
    if (runs.empty()) {
        throw UsageError(long_form(action) + ": no RUN given: it takes the ids that --status shows");
    }
    if (action.id == Id::stop) {
        return plan::Stop{std::move(runs), std::move(plan.state_dir), plan.lock_wait, plan.verbosity};
    }
    return plan::Forget{std::move(runs), std::move(plan.state_dir), plan.verbosity};
}

} // namespace finally_run::cli
