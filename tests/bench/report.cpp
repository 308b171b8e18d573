#include "report.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>

namespace finally_run::bench {

namespace {

std::string text_of(const Cell& cell, const Column& column) {
    if (const auto* const number = std::get_if<double>(&cell)) {
        return fmt::format("{:.{}f}", *number, column.digits);
    }
    const auto* const text = std::get_if<std::string>(&cell);
    return text != nullptr ? *text : "-";
}

void print(const Table& table) {
    std::vector<std::vector<std::string>> lines(1);
    for (const Column& column : table.columns) {
        lines.front().push_back(column.name);
    }
    for (const auto& row : table.rows) {
        auto& line = lines.emplace_back();
        for (std::size_t i = 0; i < row.size(); ++i) {
            line.push_back(text_of(row[i], table.columns[i]));
        }
    }
    fmt::print("\n{}\n", table.name);
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < line.size(); ++i) {
            std::size_t width = 0;
            for (const auto& other : lines) {
                width = std::max(width, i < other.size() ? other[i].size() : 0);
            }
            // Names to the left, numbers to the right.
            fmt::print("  {0:{1}}{2}{0:{3}}", "", i == 0 ? 0 : width - line[i].size(), line[i],
                       i == 0 ? width - line[i].size() : 0);
        }
        fmt::print("\n");
    }
    std::fflush(stdout);
}

} // namespace

Report::Report(std::string machine) : m_machine(std::move(machine)) {
    fmt::print("{}\n", m_machine);
    std::fflush(stdout);
}

void Report::add(Table table) {
    print(table);
    m_tables.push_back(std::move(table));
}

void Report::print_goals() const {
    if (m_goals.empty()) {
        return;
    }
    // Of fewer than six rounds low and high are the lowest and the highest: with those 95 % cannot be had.
    Table table{
        "goals: what was measured, low and high where it lies with 95 %, and the same of CPU time",
        {{"goal"}, {"at most"}, {"measured", 3}, {"low", 3}, {"high", 3}, {"CPU", 3}, {"met"}},
        {},
    };
    for (const Goal& goal : m_goals) {
        Cell cpu;
        if (goal.cpu) {
            cpu = *goal.cpu;
        }
        table.rows.push_back({goal.name, goal.limit, goal.measured.median, goal.measured.low, goal.measured.high, cpu,
                              goal.is_met() ? "yes" : "no"});
    }
    print(table);
    const auto missed = std::ranges::count(m_goals, false, &Goal::is_met);
    fmt::print("\n{} of {} goals are missed{}\n", missed, m_goals.size(), missed > 0 ? ":" : "");
    for (const Goal& goal : m_goals) {
        if (!goal.is_met()) {
            fmt::print("  {}: {:.2f}{}, at most {:.2f}\n", goal.name, goal.measured.median,
                       goal.cpu ? fmt::format(", CPU {:.2f}", *goal.cpu) : "", goal.limit);
        }
    }
}

} // namespace finally_run::bench
