// cli/suggest: the nearest option.
#include "cli/suggest.hpp"

#include <doctest/doctest.h>

using finally_run::cli::nearest_option;

namespace {

std::string_view nearest(std::string_view name) {
    const auto* const option = nearest_option(name);
    return option != nullptr ? option->name : "nothing";
}

} // namespace

TEST_SUITE("cli/suggest") {
    TEST_CASE("a letter missing, doubled, wrong or swapped is forgiven") {
        CHECK(nearest("clenup") == "cleanup");
        CHECK(nearest("cleannup") == "cleanup");
        CHECK(nearest("clianup") == "cleanup");
        CHECK(nearest("celanup") == "cleanup");
        CHECK(nearest("lokc") == "lock");
        CHECK(nearest("tempdir") == "temp-dir");
        CHECK(nearest("nowait") == "no-wait");
        CHECK(nearest("cleanup_timeout") == "cleanup-timeout");
    }

    TEST_CASE("the beginning of one option stands for it") {
        CHECK(nearest("ver") == "nothing");
        CHECK(nearest("verb") == "verbose");
        CHECK(nearest("rec") == "recover");
        CHECK(nearest("sta") == "nothing");
        CHECK(nearest("conflict") == "conflict-exit-code");
    }

    TEST_CASE("nothing is suggested for what is far from all") {
        for (const auto* name : {"", "x", "zzz", "jobs", "keep-going", "\xff\xff"}) {
            CAPTURE(name);
            CHECK(nearest(name) == "nothing");
        }
        CHECK(nearest(std::string(100000, 'c')) == "nothing");
    }
}
