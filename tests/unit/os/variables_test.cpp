#include "os/variables.hpp"

#include <doctest/doctest.h>
#include <string>
#include <string_view>

using namespace finally_run;
using namespace std::string_literals;

TEST_CASE("a variable is found by its whole name in a block and in the text of a block") {
    const char* const block[] = {"AB=1", "A", "A=2=3", "A=4", nullptr};
    CHECK(std::string_view(os::variable_in(block, "A")) == "2=3");
    CHECK(os::variable_in(block, "B") == nullptr);
    CHECK(os::variable_in(static_cast<const char* const*>(nullptr), "A") == nullptr);
    const std::string text = "AB=1\0A\0A=2=3\0A=4\0"s;
    CHECK(os::variable_in(text, "A") == "2=3");
    CHECK(os::variable_in(text, "B").empty());
    CHECK(os::variable_in("A=last", "A") == "last");
}
