// The locks of a run and the lines below its row in the table of --status.
#include "report/status_details.hpp"

#include "report/json_report.hpp"
#include "report/text.hpp"

#include <algorithm>
#include <fmt/core.h>

namespace finally_run::report {

namespace {

using State = RunStatus::State;

constexpr std::size_t label_width = 7;
constexpr std::size_t most_cleanups = 8;

std::size_t lock_columns(std::size_t columns) { return columns / 5; }

std::string step_text(const RunStatus::Step& step) {
    return step.text.empty() ? step.kind : step.kind + ": " + step.text;
}

std::vector<std::string> names_of(const std::vector<RunLock>& locks) {
    std::vector<std::string> names;
    names.reserve(locks.size());
    for (const auto& lock : locks) {
        names.push_back(shown(lock.name) + (lock.shared ? " (shared)" : ""));
    }
    return names;
}

// What is below the row of a run.
class Details {
public:
    explicit Details(std::size_t columns)
        : m_room(columns - (gap + label_width + gap)), m_most_cleanups(columns == uncut ? uncut : most_cleanups) {}

    void cut(std::string_view label, std::string_view text) { add(label, shown_within(text, m_room)); }
    void whole(std::string_view label, std::string_view text) {
        if (!text.empty()) {
            add(label, shown(text));
        }
    }
    // The process and its time are the last that is cut away.
    void step(const RunStatus& run, std::chrono::system_clock::time_point now) {
        const bool is_left = run.state == State::unfinished || run.state == State::failed;
        const std::string process = run.step_pid > 0 ? fmt::format("{} (pid {}, {})", is_left ? ", still running" : "",
                                                                   run.step_pid, age_text(now - run.step_started))
                                                     : "";
        if (run.current) {
            const std::size_t room = m_room - std::min(m_room, process.size());
            add("now", shown_within(step_text(*run.current), room) + process);
        } else if (run.step_pid > 0) {
            add("now", "command" + process);
        }
    }
    void cleanups(const RunStatus& run) {
        bool skipped = !run.current;
        std::size_t count = 0;
        for (const auto& cleanup : run.cleanups) {
            if (!skipped && cleanup == *run.current) {
                skipped = true;
            } else if (++count <= m_most_cleanups) {
                cut(count == 1 ? "next" : "", step_text(cleanup));
            }
        }
        if (count > m_most_cleanups) {
            add("", fmt::format("and {} more", count - m_most_cleanups));
        }
    }
    void failures(const RunStatus& run) {
        for (const auto& failure : run.failures) {
            cut("failed", step_text(failure.step));
            const std::string tries = failure.attempts == 1 ? "" : fmt::format(" in {} attempts", failure.attempts);
            cut("", fmt::format("{}{}, {} by {}", failure.error, tries, iso_8601_seconds(failure.time), failure.by));
        }
    }
    void locks(const RunStatus& run) {
        for (const auto& name : names_of(run.locks)) {
            // GitHub's runner skips blanks before a `::command::`, so that no line may begin with a name.
            add("lock", name);
        }
    }
    void engines(const RunStatus& run, std::chrono::system_clock::time_point now) {
        for (const auto& lock : run.locks) {
            if (lock.at_engine) {
                const auto& it = *lock.at_engine;
                const std::string token = it.token.empty() ? "" : ", token " + shown(it.token);
                whole("engine", fmt::format("{}: {}{}, since {} ({})", lock.name, name_of(it.state), token,
                                            iso_8601_seconds(it.since), age_text(now - it.since)));
            }
        }
    }

    [[nodiscard]] const std::string& text() const { return m_text; }

private:
    void add(std::string_view label, std::string_view text) {
        m_text += fmt::format("{:{}}{:<{}}{:{}}{}\n", "", gap, label, label_width, "", gap, text);
    }

    std::size_t m_room;
    std::size_t m_most_cleanups;
    std::string m_text;
};

} // namespace

std::string lock_cell(const std::vector<RunLock>& locks, std::size_t columns) {
    if (locks.empty()) {
        return "-";
    }
    const auto names = names_of(locks);
    const std::size_t room = lock_columns(columns);
    if (auto all = listed(names); width_of(all) <= room) {
        return all;
    }
    const std::string others = names.size() > 1 ? fmt::format(" +{}", names.size() - 1) : "";
    return end_of(names.front(), room - std::min(room, others.size())) + others;
}

std::string lines_below(const RunStatus& run, std::chrono::system_clock::time_point now, std::size_t columns,
                        bool with_command) {
    Details details(columns);
    if (with_command && !run.command.empty()) {
        details.cut("command", run.command);
    }
    details.whole("error", run.error);
    details.whole("pid", run.other_namespace ? "of another pid namespace, so not known here" : "");
    details.step(run, now);
    details.failures(run);
    details.cleanups(run);
    if (width_of(listed(names_of(run.locks))) > lock_columns(columns)) {
        details.locks(run);
    }
    details.engines(run, now);
    if (run.state == State::unfinished || run.state == State::failed || run.state == State::damaged) {
        details.whole("in", run.directory);
    }
    if (run.elsewhere) {
        details.whole("host", run.host.empty() ? "another one" : run.host);
    }
    details.whole("job", run.job_url);
    details.whole("log", run.log);
    return details.text();
}

} // namespace finally_run::report
