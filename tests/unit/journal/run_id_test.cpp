#include "journal/run_id.hpp"

#include <doctest/doctest.h>
#include <string>
#include <string_view>

using namespace finally_run;

TEST_CASE("run ids have a time, are unlike each other and are fit for a file name") {
    const std::string id = journal::new_run_id();
    CHECK(id.size() == std::string_view("20260131T235959-5f3a9c2e").size());
    CHECK(id.starts_with("20"));
    CHECK(id.find_first_not_of("0123456789abcdefT-") == std::string::npos);
    CHECK(id != journal::new_run_id());
}
