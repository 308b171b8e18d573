#include "cleanup/stack.hpp"

#include <doctest/doctest.h>

using namespace finally_run::cleanup;

TEST_CASE("the last cleanup that was registered is the first, and stays until it has finished") {
    MemoryStack stack;
    CHECK_FALSE(stack.top().has_value());
    stack.push({Cleanup::Kind::command, "first"});
    stack.push({Cleanup::Kind::remove, "second"});
    const auto top = stack.top();
    REQUIRE(top.has_value());
    CHECK(top->text == "second");
    CHECK(stack.top()->text == "second");
    stack.finished(*top, {});
    CHECK(stack.top()->text == "first");
}

TEST_CASE("a cleanup that is registered while another one runs is next") {
    MemoryStack stack;
    stack.push({Cleanup::Kind::command, "running"});
    const auto running = stack.top();
    REQUIRE(running.has_value());
    stack.push({Cleanup::Kind::command, "late"});
    stack.finished(*running, {});
    CHECK(stack.top()->text == "late");
    stack.finished(*stack.top(), {});
    CHECK_FALSE(stack.top().has_value());
}
