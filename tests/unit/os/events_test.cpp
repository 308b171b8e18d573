// os/events: the companion, a pipe that loses its reader. What else is waited for is in signals_test.cpp.
#include "os/events.hpp"

#include "child.hpp"
#include "support/forked.hpp"

#include <chrono>
#include <csignal>
#include <doctest/doctest.h>
#include <poll.h>
#include <span>
#include <unistd.h>
#include <variant>
#include <vector>

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

TEST_CASE("what is done beside a wait neither ends it nor keeps it from ending") {
    struct Reading : os::Beside {
        explicit Reading(int fd) : m_fd(fd) {}
        void add_to(std::vector<pollfd>& fds) override { fds.push_back({m_fd, POLLIN, 0}); }
        void work(std::span<const pollfd> fds) override { m_times += fds.size() == 1 && fds[0].revents != 0 ? 1 : 0; }
        int m_fd;
        int m_times = 0;
    };
    os::Events events(test::signals(), {});
    const test::Gate gate;
    Reading reading(gate.reader());
    events.work_beside(&reading);
    CHECK(is_quiet(events));
    CHECK(reading.m_times == 0);
    gate.open(); // and is never read
    CHECK(is_quiet(events));
    CHECK(reading.m_times > 0);
    events.work_beside(nullptr);
    const int before = reading.m_times;
    CHECK(is_quiet(events));
    CHECK(reading.m_times == before);
}

TEST_CASE("the end of a service is an event once and can be forgotten") {
    os::Events events(test::signals(), {});
    events.raise_service_ended();
    CHECK(std::holds_alternative<os::ServiceEnded>(events.wait({})));
    CHECK(is_quiet(events));
    events.raise_service_ended();
    events.forget_service_ended();
    CHECK(is_quiet(events));
}
