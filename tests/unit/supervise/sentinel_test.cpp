#include "supervise/sentinel.hpp"

#include "main_args.hpp"
#include "support/forked.hpp"

#include <csignal>
#include <doctest/doctest.h>
#include <unistd.h>

using namespace finally_run;

TEST_CASE("a sentinel for a group of its own is not told of what our group is sent however soon that is") {
    test::Forked run([] {
        ::setpgid(0, 0);
        const os::Signals signals;
        supervise::Sentinel sentinel(supervise::Sentinel::Place::own_group, "a-b-c", test::main_args);
        ::kill(0, SIGTERM);
        test::expect(!sentinel.was_told_too({SIGTERM, false, ::getpid()}), "it was told");
    });
    CHECK(run.succeeded());
}
