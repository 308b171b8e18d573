#include "plan/exit_status.hpp"

#include <csignal>
#include <doctest/doctest.h>

using namespace finally_run;

TEST_CASE("a failed cleanup turns a success into 120 and spoils nothing else") {
    CHECK(plan::ExitStatus{0, 0}.with_failed_cleanup().code == 120);
    CHECK(plan::ExitStatus{3, 0}.with_failed_cleanup().code == 3);
    CHECK(plan::ExitStatus{143, SIGTERM}.with_failed_cleanup().signal == SIGTERM);
}
