#include "report/ended.hpp"

#include "os/whoami.hpp"
#include "report/json_report.hpp"
#include "report/text.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace finally_run::report {

namespace {

constexpr std::size_t most_lines = 5;

std::string_view by_whom(plan::Actor by) {
    switch (by) {
    case plan::Actor::supervisor:
        return "";
    case plan::Actor::guardian:
        return " by its guardian";
    case plan::Actor::keeper:
        return " by the keeper of its lock";
    case plan::Actor::recovery:
        return " by a recovery";
    case plan::Actor::next_holder:
        return " by the next holder of its lock";
    }
    return "";
}

} // namespace

EndedRun ended_run(const journal::State& state) {
    EndedRun run;
    run.id = state.opened.run_id;
    run.command = state.opened.command;
    run.directory = state.opened.place.path;
    run.host = state.opened.host ? state.opened.host->name : "";
    run.job_url = state.opened.job_url;
    run.started = std::chrono::system_clock::from_time_t(state.opened.started);
    run.ending = state.ending.value_or(plan::Ending{plan::Result::lost, 0, 0});
    run.by = state.taken_over ? state.taken_over->by : plan::Actor::supervisor;
    run.lock_lost = state.has_lost_lock();
    const auto add = [&](plan::Cleanup::Kind kind, const std::string& text, const std::string& error) {
        if (plan::applies(kind, run.ending.result)) {
            run.cleanups.push_back({std::string(plan::name_of(kind)), text, error});
        }
    };
    for (const journal::Done& done : state.done) {
        add(done.kind, done.text, done.error);
    }
    for (const journal::Failure& failure : state.failures) {
        add(failure.cleanup.kind, failure.cleanup.text, failure.how.error);
    }
    return run;
}

std::string how_it_ended(const EndedRun& run, std::chrono::system_clock::time_point now) {
    const auto failed = std::ranges::count_if(run.cleanups, [](const auto& cleanup) { return !cleanup.error.empty(); });
    const auto all = run.cleanups.size();
    const bool known = run.ended != std::chrono::system_clock::time_point();
    const std::string_view why = run.ending.result == plan::Result::caller_gone ? "its caller had gone, "
                                 : run.ending.result == plan::Result::lock_lost || run.lock_lost ? "its lock was lost, "
                                                                                                 : "";
    return fmt::format("{}cleaned up{}{}, {} of {} {} succeeded", why, by_whom(run.by),
                       known ? " " + age_text(now - run.ended) + " ago" : "", all - static_cast<std::size_t>(failed),
                       all, all == 1 ? "cleanup" : "cleanups") +
           (run.log.empty() ? "" : ", output in " + shown(run.log));
}

std::string ended_lines(std::span<const EndedRun> runs, std::chrono::system_clock::time_point now, std::size_t columns,
                        bool all) {
    std::string text;
    const std::size_t count = all ? runs.size() : std::min(runs.size(), most_lines);
    for (const EndedRun& run : runs.first(count)) {
        const std::string how = ": " + how_it_ended(run, now);
        const std::string id = shown(run.id) + "  ";
        constexpr std::size_t least = 16;
        const std::size_t used = std::min(columns, width_of(id) + width_of(how));
        text.append(id).append(shown_within(run.command, std::max(least, columns - used))).append(how) += '\n';
    }
    if (count < runs.size()) {
        text += fmt::format("and {} more with --verbose\n", runs.size() - count);
    }
    return text.empty() ? text : "ended lately, and not as usual:\n" + text;
}

std::string log_head(const journal::Opened& opened) {
    const auto started = std::chrono::system_clock::from_time_t(opened.started);
    std::string head =
        fmt::format("run {} of {} on {}\ncommand: {}\ndirectory: {}\nstarted: {}\n", shown(opened.run_id),
                    shown(os::user_name()), shown(opened.host ? opened.host->name : "?"), shown(opened.command),
                    shown(opened.place.path), iso_8601_seconds(started));
    return opened.job_url.empty() ? head : head + "job: " + shown(opened.job_url) + '\n';
}

} // namespace finally_run::report
