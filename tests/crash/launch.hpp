// Starts what a trial is about.
#pragma once

#include "scenario.hpp"

#include <linux/filter.h>
#include <sys/types.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace finally_run::crash {

// Words, environment, directory and where stderr goes.
struct Launch {
    std::vector<std::string> argv;
    std::vector<std::string> environment;
    std::string directory;
    std::string stderr_file;
    std::vector<sock_filter> filter; // if not empty
};

// `words` and the environment of a scenario with all filled in that differs from trial to trial.
[[nodiscard]] Launch launch_of(const Words& words, const Words& environment, const std::filesystem::path& directory);

// Starts a program that is traced (PTRACE_SEIZE) from before its execve(2) on, in a session of its own. Answers with
// its pid and its first stop, as waitpid(2) has it.
[[nodiscard]] std::pair<pid_t, int> start_seized(const Launch& launch, long options);

} // namespace finally_run::crash
