// Many trials at once, in processes of their own.
#pragma once

#include "trial.hpp"

#include <filesystem>
#include <vector>

namespace finally_run::crash {

struct Job {
    const Row* row;
    Shot shot;
};

// One outcome for each job, in their order. Throws if a worker was lost.
[[nodiscard]] std::vector<Outcome> run_jobs(const Scenario& scenario, const std::vector<Job>& jobs,
                                            const std::filesystem::path& directory, unsigned workers);

} // namespace finally_run::crash
