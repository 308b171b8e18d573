#include "os/environment.hpp"

#include "entries.hpp"

#include <doctest/doctest.h>
#include <string>
#include <string_view>
#include <vector>

using namespace finally_run;

TEST_CASE("a variable that is set replaces every entry of its name and leaves the others as they are") {
    std::string strings[] = {"A=1", "AB=2", "A=3", "no-equals-sign", "=odd"};
    char* block[] = {strings[0].data(), strings[1].data(), strings[2].data(),
                     strings[3].data(), strings[4].data(), nullptr};
    os::Environment environment(block);
    environment.set("A", "x=y");
    CHECK(test::entries(environment) == std::vector<std::string_view>{"AB=2", "no-equals-sign", "=odd", "A=x=y"});
    environment.set("A", "");
    CHECK(test::entries(environment) == std::vector<std::string_view>{"AB=2", "no-equals-sign", "=odd", "A="});
}
