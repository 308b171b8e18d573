// The report as JSON, for programs: each row of a table is an object with the columns as names.
#include "report.hpp"

#include <nlohmann/json.hpp>

namespace finally_run::bench {

namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Cell& cell) {
    if (const auto* const number = std::get_if<double>(&cell)) {
        return *number;
    }
    const auto* const text = std::get_if<std::string>(&cell);
    return text != nullptr ? Json(*text) : Json();
}

Json to_json(const Table& table) {
    Json rows = Json::array();
    for (const auto& row : table.rows) {
        Json object = Json::object();
        for (std::size_t i = 0; i < row.size(); ++i) {
            object[table.columns[i].name] = to_json(row[i]);
        }
        rows.push_back(std::move(object));
    }
    return {{"name", table.name}, {"rows", std::move(rows)}};
}

Json to_json(const Goal& goal) {
    return {{"name", goal.name},        {"limit", goal.limit},        {"ratio", goal.measured.median},
            {"low", goal.measured.low}, {"high", goal.measured.high}, {"cpu", goal.cpu ? Json(*goal.cpu) : Json()},
            {"met", goal.is_met()}};
}

} // namespace

std::string Report::to_json() const {
    Json json = {{"machine", m_machine}, {"tables", Json::array()}, {"goals", Json::array()}};
    for (const Table& table : m_tables) {
        json["tables"].push_back(bench::to_json(table));
    }
    for (const Goal& goal : m_goals) {
        json["goals"].push_back(bench::to_json(goal));
    }
    return json.dump(2) + '\n';
}

} // namespace finally_run::bench
