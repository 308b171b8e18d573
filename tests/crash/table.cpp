// The table.
#include "table.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace finally_run::crash {

void Table::add_row(std::string name, const Outcome& explored) {
    Line line;
    line.name = std::move(name);
    line.points = static_cast<unsigned>(explored.points.size());
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
    line.violations += outcome.faults.any() ? 1U : 0U;
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

void Table::print(const Line& line) {
    std::string which;
    for (std::size_t fault = 0; fault < line.faults.size(); ++fault) {
        if (line.faults.at(fault) > 0) {
            which.append(which.empty() ? "" : ", ").append(fault_names.at(fault)).append(" ");
            which.append(std::to_string(line.faults.at(fault)));
        }
    }
    if (line.trials == 0) {
        which = "nobody was there to be hit";
    }
    std::printf("| %s | %u | %u | %u | %u | %u | %s | %u |\n", line.name.c_str(), line.repeats, line.points,
                line.trials, line.not_reached, line.violations, which.c_str(), line.excused);
}

void Table::print(bool with_examples) const {
    if (with_examples) {
        for (const Line& line : m_lines) {
            for (const std::string& example : line.examples) {
                std::printf("%s\n", example.c_str());
            }
        }
    }
    std::printf("| whose calls: what is done there | repeats | points | trials | not reached | violations | which | "
                "excused |\n| --- | ---: | ---: | ---: | ---: | ---: | --- | ---: |\n");
    Line all;
    all.name = "all";
    for (const Line& line : m_lines) {
        print(line);
        all.repeats += line.repeats;
        all.points += line.points;
        all.trials += line.trials;
        all.not_reached += line.not_reached;
        all.violations += line.violations;
        all.excused += line.excused;
        for (std::size_t fault = 0; fault < all.faults.size(); ++fault) {
            all.faults.at(fault) += line.faults.at(fault);
        }
    }
    print(all);
}

bool Table::all_well() const {
    return std::all_of(m_lines.begin(), m_lines.end(),
                       [](const Line& line) { return line.violations == 0 && line.trials > 0; });
}

} // namespace finally_run::crash
