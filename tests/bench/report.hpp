// What a benchmark has to say: tables, and goals that are met or not.
#pragma once

#include "statistics.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace finally_run::bench {

struct Column {
    std::string name; // with its unit
    int digits = 2;   // of its numbers, behind the point
};

using Cell = std::variant<std::monostate, std::string, double>;

struct Table {
    std::string name;
    std::vector<Column> columns;
    std::vector<std::vector<Cell>> rows;
};

struct Goal {
    std::string name;
    double limit; // at most
    Ratio measured;
    std::optional<double> cpu = {}; // the same of CPU time, which a busy machine disturbs less

    [[nodiscard]] bool is_met() const { return measured.median <= limit && cpu.value_or(limit) <= limit; }
};

class Report {
public:
    // `machine`: on what it is measured, and when.
    explicit Report(std::string machine);

    // Printed at once: the whole takes minutes.
    void add(Table table);
    void add(Goal goal) { m_goals.push_back(std::move(goal)); }

    void print_goals() const;
    [[nodiscard]] std::string to_json() const;

private:
    std::string m_machine;
    std::vector<Table> m_tables;
    std::vector<Goal> m_goals;
};

} // namespace finally_run::bench
