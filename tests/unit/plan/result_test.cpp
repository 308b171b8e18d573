// plan/result: the words for how a command ended.
#include "plan/result.hpp"

#include <doctest/doctest.h>

using finally_run::plan::name_of;
using finally_run::plan::Result;

TEST_SUITE("plan/result") {
    TEST_CASE("every result has the word that cleanups and reports read") {
        CHECK(name_of(Result::success) == "success");
        CHECK(name_of(Result::failure) == "failure");
        CHECK(name_of(Result::signal) == "signal");
        CHECK(name_of(Result::timeout) == "timeout");
        CHECK(name_of(Result::stopped) == "stopped");
        CHECK(name_of(Result::caller_gone) == "caller-gone");
        CHECK(name_of(Result::setup_failed) == "setup-failed");
        CHECK(name_of(Result::not_started) == "not-started");
        CHECK(name_of(Result::lock_lost) == "lock-lost");
        CHECK(name_of(Result::lost) == "lost");
    }
}
