// The table.
#include "table.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace finally_run::crash {

void Table::add_row(std::string name, const Outcome& explored) {
    Line line;
    line.name = std::move(name);
    line.points = explored.points;
    line.repeats = explored.repeats;
    m_lines.push_back(std::move(line));
}

void Table::add(std::size_t row, const Outcome& outcome) {
    Line& line = m_lines.at(row);
    if (!outcome.reached) {
        ++line.not_reached;
    } else {
        ++line.trials;
    }
    add_faults(row, outcome);
}

void Table::add_unbroken(std::size_t row, const Outcome& outcome) { add_faults(row, outcome); }

void Table::add_faults(std::size_t row, const Outcome& outcome) {
    Line& line = m_lines.at(row);
    line.bad += outcome.faults.any() ? 1U : 0U;
    line.excused += outcome.excused ? 1U : 0U;
    bool first = false;
    for (std::size_t fault = 0; fault < line.faults.size(); ++fault) {
        if (outcome.faults.test(fault)) {
            first = first || line.faults.at(fault) == 0;
            ++line.faults.at(fault);
        }
    }
    if (first) {
        line.examples.push_back(outcome.details);
    }
}

void Table::print(bool with_examples) const {
    if (with_examples) {
        for (const Line& line : m_lines) {
            for (const std::string& example : line.examples) {
                std::printf("%s\n", example.c_str());
            }
        }
    }
    int width = 0;
    for (const Line& line : m_lines) {
        width = std::max(width, static_cast<int>(line.name.size()));
    }
    std::printf("%-*s %7s %7s %7s %11s %5s %7s", width, "", "repeats", "points", "trials", "not reached", "bad",
                "excused");
    for (const auto& name : fault_names) {
        std::printf(" %8.*s", static_cast<int>(name.size()), name.data());
    }
    std::printf("\n");
    for (const Line& line : m_lines) {
        std::printf("%-*s %7u %7u %7u %11u %5u %7u", width, line.name.c_str(), line.repeats, line.points, line.trials,
                    line.not_reached, line.bad, line.excused);
        for (const unsigned number : line.faults) {
            std::printf(" %8u", number);
        }
        std::printf("%s\n", line.trials == 0 ? "  nobody was there to be hit" : "");
    }
}

bool Table::all_well() const {
    return std::all_of(m_lines.begin(), m_lines.end(),
                       [](const Line& line) { return line.bad == 0 && line.trials > 0; });
}

} // namespace finally_run::crash
