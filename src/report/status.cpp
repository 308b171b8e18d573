// The table of --status.
#include "report/status.hpp"

#include "report/hints.hpp"
#include "report/status_details.hpp"
#include "report/text.hpp"

#include <algorithm>
#include <array>
#include <fmt/core.h>

namespace finally_run::report {

namespace {

using State = RunStatus::State;
using std::chrono::system_clock;

constexpr std::size_t least_columns = 40;
constexpr std::size_t least_for_command = 24; // with less it gets a line of its own

// RUN, STATE, PID, AGE, LOCKS, CLEANUPS. The command comes after them, where there is room.
constexpr std::size_t column_count = 6;
using Cells = std::array<std::string, column_count>;

std::string age_of(const RunStatus& run, system_clock::time_point now) {
    if (run.started == system_clock::time_point()) {
        return "-";
    }
    // The clock may have been set back since.
    return age_text(now - run.started);
}

std::string state_text(State state) {
    std::string text(name_of(state));
    std::ranges::replace(text, '-', ' ');
    return text;
}

// What has failed and is to be tried again is on both lists.
std::size_t cleanups_of(const RunStatus& run) {
    const auto comes_again = [&](const RunStatus::Failure& failure) {
        return std::ranges::find(run.cleanups, failure.step) != run.cleanups.end();
    };
    const auto again = std::ranges::count_if(run.failures, comes_again);
    return run.cleanups.size() + run.failures.size() - static_cast<std::size_t>(again);
}

Cells cells_of(const RunStatus& run, system_clock::time_point now, std::size_t columns) {
    return {
        shown(run.id),    state_text(run.state),         run.pid > 0 ? std::to_string(run.pid) : "-",
        age_of(run, now), lock_cell(run.locks, columns), run.error.empty() ? std::to_string(cleanups_of(run)) : "?",
    };
}

std::string line_of(const Cells& cells, const std::array<std::size_t, column_count>& widths, std::string_view command) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        line += cells.at(i);
        line.append(widths.at(i) - width_of(cells.at(i)) + gap, ' ');
    }
    line += command;
    line.erase(line.find_last_not_of(' ') + 1);
    return line += '\n';
}

// What to do about the runs of this state: its one run is named, of several the reader picks one.
std::string forget_words(std::span<const RunStatus> runs, State state, std::string_view program) {
    const auto matches = [&](const RunStatus& run) { return run.state == state; };
    const auto found = std::ranges::find_if(runs, matches);
    if (found == runs.end()) {
        return {};
    }
    const bool single = std::ranges::count_if(runs, matches) == 1;
    return fmt::format("{} --forget {}", program, single ? shown(found->id) : "RUN");
}

// Where several would be recovered.
constexpr std::string_view or_one = ", or of one alone: --recover RUN";

std::string advice(std::span<const RunStatus> runs, std::string_view program) {
    std::string text;
    if (const auto forget = forget_words(runs, State::unfinished, program); !forget.empty()) {
        const auto is_left = [](bool elsewhere) {
            return [=](const auto& run) { return run.state == State::unfinished && run.elsewhere == elsewhere; };
        };
        if (const auto count = std::ranges::count_if(runs, is_left(false)); count > 0) {
            text += fmt::format("To run what is left:  {} --recover{}\n", program, count > 1 ? or_one : "");
        }
        if (std::ranges::any_of(runs, is_left(true))) {
            text += fmt::format("Of another host, here: {} --recover RUN\n", program);
        }
        text += fmt::format("To drop it:           {}\n", forget);
    }
    if (const auto forget = forget_words(runs, State::failed, program); !forget.empty()) {
        const bool several = std::ranges::count(runs, State::failed, &RunStatus::state) > 1;
        text += fmt::format("To try what failed:   {} --recover{}\nTo give it up:        {}\n", program,
                            several ? or_one : "", forget);
    }
    if (const auto forget = forget_words(runs, State::damaged, program); !forget.empty()) {
        text += fmt::format("Damaged: clean up by hand, then {}\n", forget);
    }
    return text.empty() ? text : '\n' + text;
}

} // namespace

std::string_view name_of(State state) {
    switch (state) {
    case State::running:
        return "running";
    case State::suspended:
        return "suspended";
    case State::setup:
        return "setup";
    case State::cleaning_up:
        return "cleaning-up";
    case State::finishing:
        return "finishing";
    case State::unfinished:
        return "unfinished";
    case State::failed:
        return "failed";
    case State::damaged:
        break;
    }
    return "damaged";
}

std::string head_of(const Looked& looked) {
    std::string text =
        fmt::format("{}: runs of {} on {}\n", shown(looked.state_dir), shown(looked.user), shown(looked.host));
    for (const auto& variable : looked.strange_variables) {
        text += fmt::format("{} {}\n", shown(variable), of_no_option);
    }
    return text;
}

std::string nothing_found() { return "no runs here; other users, hosts and containers have places of their own\n"; }

std::string to_table(std::span<const RunStatus> runs, system_clock::time_point now, std::size_t columns,
                     std::string_view program) {
    if (runs.empty()) {
        return "no runs\n";
    }
    columns = std::max(columns, least_columns);
    const std::string caller = shown(program);
    std::vector<Cells> rows{{"RUN", "STATE", "PID", "AGE", "LOCKS", "CLEANUPS"}};
    for (const auto& run : runs) {
        rows.push_back(cells_of(run, now, columns));
    }
    std::array<std::size_t, column_count> widths{};
    std::size_t used = 0;
    for (std::size_t i = 0; i < widths.size(); ++i) {
        for (const auto& row : rows) {
            widths.at(i) = std::max(widths.at(i), width_of(row.at(i)));
        }
        used += widths.at(i) + gap;
    }
    const std::size_t room = used + least_for_command <= columns ? columns - used : 0;
    std::string table = line_of(rows.front(), widths, room > 0 ? "COMMAND" : "");
    for (std::size_t i = 0; i < runs.size(); ++i) {
        table += line_of(rows.at(i + 1), widths, shown_within(runs[i].command, room));
        table += lines_below(runs[i], now, columns, room == 0);
    }
    return table + advice(runs, caller);
}

} // namespace finally_run::report
