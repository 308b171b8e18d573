// Counts the outcomes of trials and prints them.
#pragma once

#include "trial.hpp"

#include <array>
#include <string>
#include <vector>

namespace finally_run::crash {

class Table {
public:
    void add_row(std::string name, const Outcome& explored);
    void add(std::size_t row, const Outcome& outcome);
    // A run that was left alone, or only opened: no trial, but it may be as wrong as any.
    void add_unbroken(std::size_t row, const Outcome& outcome);
    // As Markdown, after what is to be known of the first violation of each kind.
    void print(bool with_examples) const;

    // No fault anywhere, and no row that says nothing because nobody was there to be hit.
    [[nodiscard]] bool all_well() const;

private:
    struct Line {
        std::string name;
        unsigned repeats = 0; // left out
        unsigned points = 0;
        unsigned trials = 0;
        unsigned not_reached = 0; // the run ended before the point, or the one to be hit was not there
        unsigned violations = 0;
        unsigned excused = 0;
        std::array<unsigned, fault_names.size()> faults{};
        std::vector<std::string> examples; // the first of each fault
    };

    void add_faults(std::size_t row, const Outcome& outcome);
    static void print(const Line& line);

    std::vector<Line> m_lines;
};

} // namespace finally_run::crash
