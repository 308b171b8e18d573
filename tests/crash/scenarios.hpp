// The runs that are broken, and the rows of the tables.
#pragma once

#include "trial.hpp"

#include <string>
#include <vector>

namespace finally_run::crash {

// finally-run with a lock, a setup, a command that has a child, a removal, a temporary directory and two cleanups.
class FinallyRun final : public Scenario {
public:
    [[nodiscard]] std::vector<std::string> run(const std::string& directory) const override;
    [[nodiscard]] std::vector<std::string> finish(const std::string& directory, Finisher finisher) const override;
};

// The same with flock(1) and a trap of bash.
class FlockAndTrap final : public Scenario {
public:
    [[nodiscard]] std::vector<std::string> run(const std::string& directory) const override;
    [[nodiscard]] std::vector<std::string> finish(const std::string& directory, Finisher finisher) const override;
};

[[nodiscard]] std::vector<Row> rows_of_kills();
[[nodiscard]] std::vector<Row> rows_of_failures();
[[nodiscard]] std::vector<Row> rows_of_baseline();

} // namespace finally_run::crash
