#include "run/caller.hpp"

#include <doctest/doctest.h>

using namespace finally_run;

TEST_CASE("the caller is watched in CI and in ssh without a terminal, unless HUP was ignored") {
    using plan::StopWithCaller;
    const auto watched = [](StopWithCaller wish, bool ci, bool ssh, bool nohup) {
        return run::what_to_watch(wish, run::CallerContext{.ci = ci, .ssh_no_terminal = ssh, .hangup_ignored = nohup});
    };
    CHECK_FALSE(watched(StopWithCaller::automatic, false, false, false).caller);
    CHECK(watched(StopWithCaller::automatic, true, false, false).caller);
    CHECK_FALSE(watched(StopWithCaller::automatic, true, false, false).stdout_reader);
    CHECK(watched(StopWithCaller::automatic, false, true, false).caller);
    CHECK(watched(StopWithCaller::automatic, false, true, false).stdout_reader);
    CHECK_FALSE(watched(StopWithCaller::automatic, true, true, true).caller);
    CHECK(watched(StopWithCaller::always, false, false, true).caller);
    CHECK_FALSE(watched(StopWithCaller::never, true, true, false).caller);
}
