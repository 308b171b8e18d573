#include "support/needs.hpp"

#include <cstdlib>

using namespace finally_run;

TEST_CASE("a case that lacks what it needs fails in CI" * doctest::should_fail()) {
    ::setenv("CI", "true", 1);
    CHECK_FALSE(test::needs(false, "a missing thing"));
}

TEST_CASE("a case that lacks what it needs passes elsewhere, with a message") {
    ::unsetenv("CI");
    CHECK_FALSE(test::needs(false, "a missing thing"));
    CHECK(test::needs(true, "what is there"));
}
