// What CI systems put into the environment of a job.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>

namespace finally_run::os {

// Whether $CI says that we are in a job.
[[nodiscard]] bool in_ci();

// The address of the job in an environment block ("A=1\0B=2\0"); empty if there is none.
[[nodiscard]] std::string job_url(std::string_view environment);
// The same, wherever the variables are; one that is missing is empty.
[[nodiscard]] std::string job_url(const std::function<std::string_view(const char* name)>& variable_of);

// By these the runners of GitHub, Azure and Jenkins find what a job has left behind, to kill it.
inline constexpr auto leftover_markers = std::to_array<const char*>(
    {"RUNNER_TRACKING_ID", "VSTS_PROCESS_LOOKUP_ID", "JENKINS_NODE_COOKIE", "JENKINS_SERVER_COOKIE", "HUDSON_COOKIE"});

} // namespace finally_run::os
