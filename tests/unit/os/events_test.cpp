// os/events: the companion, a pipe that loses its reader. What else is waited for is in signals_test.cpp.
#include "os/events.hpp"

#include "child.hpp"
#include "support/forked.hpp"

#include <chrono>
#include <csignal>
#include <doctest/doctest.h>
#include <unistd.h>
#include <variant>

using namespace finally_run;
using namespace std::chrono_literals;

namespace {

// Nothing more comes from the events.
bool is_quiet(os::Events& events) { return std::holds_alternative<os::TimedOut>(events.wait(os::deadline_after(1ms))); }

} // namespace

TEST_CASE("a companion that is there is no event, and its end is told once, within the wait") {
    os::Events events(test::signals(), {});
    test::Gate gate;
    int told = 0;
    events.watch_companion(gate.writer(), [&] { ++told; });
    CHECK(is_quiet(events));
    CHECK(told == 0);
    gate.close_reader();
    CHECK(told == 0);
    CHECK(is_quiet(events));
    CHECK(told == 1);
    CHECK(is_quiet(events));
    CHECK(told == 1);
}

TEST_CASE("when a companion has gone another can be watched from there on") {
    os::Events events(test::signals(), {});
    test::Gate first;
    test::Gate second;
    std::string told;
    events.watch_companion(first.writer(), [&] {
        told += "first ";
        events.watch_companion(second.writer(), [&] { told += "second "; });
    });
    first.close_reader();
    CHECK(is_quiet(events));
    CHECK(told == "first ");
    second.close_reader();
    CHECK(is_quiet(events));
    CHECK(told == "first second ");
}

TEST_CASE("a companion that is watched no more is not told of") {
    os::Events events(test::signals(), {});
    test::Gate gate;
    bool told = false;
    events.watch_companion(gate.writer(), [&] { told = true; });
    events.watch_companion(-1, {});
    gate.close_reader();
    CHECK(is_quiet(events));
    CHECK_FALSE(told);
}

TEST_CASE("the end of a companion takes no event from those who wait") {
    os::Events events(test::signals(), {});
    test::Gate companion;
    test::Gate extra;
    bool told = false;
    events.watch_companion(companion.writer(), [&] { told = true; });
    companion.close_reader();
    extra.open();
    CHECK(std::holds_alternative<os::Readable>(events.wait(os::deadline_after(30s), extra.reader())));
    CHECK(told);
    ::kill(::getpid(), SIGUSR1);
    const os::Event event = events.wait(os::deadline_after(30s), extra.reader());
    REQUIRE(std::holds_alternative<os::Signal>(event));
    CHECK(std::get<os::Signal>(event).number == SIGUSR1);
}

TEST_CASE("a signal that the end of a companion brings with it comes next") {
    os::Events events(test::signals(), {});
    test::Gate gate;
    events.watch_companion(gate.writer(), [] { ::kill(::getpid(), SIGUSR2); });
    gate.close_reader();
    const os::Event event = events.wait(os::deadline_after(30s));
    REQUIRE(std::holds_alternative<os::Signal>(event));
    CHECK(std::get<os::Signal>(event).number == SIGUSR2);
}
