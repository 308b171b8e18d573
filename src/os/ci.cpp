#include "os/ci.hpp"

#include "os/variables.hpp"

namespace finally_run::os {

bool in_ci() {
    const std::string_view ci = variable("CI");
    return !ci.empty() && ci != "false" && ci != "0";
}

std::string job_url(const std::function<std::string_view(const char* name)>& variable_of) {
    for (const char* const name : {"CI_JOB_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL"}) {
        if (const auto url = variable_of(name); !url.empty()) {
            return std::string(url);
        }
    }
    const std::string server(variable_of("GITHUB_SERVER_URL"));
    const std::string run(variable_of("GITHUB_RUN_ID"));
    if (server.empty() || run.empty()) {
        return {};
    }
    return (server + "/").append(variable_of("GITHUB_REPOSITORY")).append("/actions/runs/").append(run);
}

std::string job_url(std::string_view environment) {
    return job_url([&](const char* name) { return variable_in(environment, name); });
}

} // namespace finally_run::os
