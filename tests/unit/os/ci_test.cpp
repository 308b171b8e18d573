#include "os/ci.hpp"

#include <doctest/doctest.h>
#include <string>

using namespace finally_run;
using namespace std::string_literals;

TEST_CASE("the job's address is found in the variables of each CI system") {
    CHECK(os::job_url("A=1\0CI_JOB_URL=https://gitlab/j/1\0"s) == "https://gitlab/j/1");
    CHECK(os::job_url("BUILD_URL=https://jenkins/1/\0"s) == "https://jenkins/1/");
    CHECK(os::job_url("GITHUB_SERVER_URL=https://h\0GITHUB_REPOSITORY=o/r\0GITHUB_RUN_ID=5\0"s) ==
          "https://h/o/r/actions/runs/5");
    CHECK(os::job_url("GITHUB_SERVER_URL=https://h\0CI_JOB_URLX=a\0"s).empty());
    CHECK(os::job_url("").empty());
}
