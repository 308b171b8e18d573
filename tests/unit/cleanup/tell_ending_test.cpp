#include "cleanup/executor.hpp"

#include "entries.hpp"

#include <csignal>
#include <doctest/doctest.h>
#include <string_view>
#include <vector>

using namespace finally_run;

TEST_CASE("the cleanups are told how the command ended") {
    char* block[] = {nullptr};
    os::Environment environment(block);
    cleanup::tell_ending(environment, {plan::Result::stopped, 143, SIGTERM}, plan::Actor::supervisor);
    CHECK(test::entries(environment) ==
          std::vector<std::string_view>{"FINALLY_RUN_RESULT=stopped", "FINALLY_RUN_EXIT_CODE=143",
                                        "FINALLY_RUN_SIGNAL=TERM", "FINALLY_RUN_BY=supervisor", "FINALLY_RUN_LOCK="});
    cleanup::tell_ending(environment, {plan::Result::success, 0, 0}, plan::Actor::supervisor);
    CHECK(test::entries(environment)[2] == "FINALLY_RUN_SIGNAL=");
}
