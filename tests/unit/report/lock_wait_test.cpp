#include "report/lock_wait.hpp"

#include "report/text.hpp"

#include <chrono>
#include <doctest/doctest.h>
#include <string>

using namespace finally_run;
using namespace std::chrono_literals;
using report::describe;

namespace {

lock::Holder holder(std::string command) {
    return {.pid = 4242,
            .command = std::move(command),
            .since = std::chrono::system_clock::now(),
            .run_id = "20261123T000122-9de0361d",
            .job_url = "https://ci.example/job/17",
            .cleaning_up = true,
            .others = 2};
}

} // namespace

TEST_CASE("a holder is its command, its pid and how many share with it, then the rest") {
    const std::string text = describe(holder("make test"));
    CHECK(text.starts_with("make test (pid 4242 and 2 more, cleaning up, since "));
    CHECK(text.ends_with("), https://ci.example/job/17, run 20261123T000122-9de0361d"));
    CHECK(describe(std::nullopt) == "a process that cannot be seen from here");
}

TEST_CASE("where there is little room a holder is its command and its pid, and the command is cut for it") {
    for (const std::size_t columns : {60U, 80U, 120U}) {
        CAPTURE(columns);
        const std::string text = describe(holder(std::string(300, 'x')), columns);
        CHECK(report::width_of(text) <= columns);
        CHECK(text.find("... (pid 4242 and 2 more, cleaning up") != std::string::npos);
    }
    CHECK(describe(holder("make"), 60) == "make (pid 4242 and 2 more, cleaning up)");
    CHECK(describe(holder("make"), 10) == "make (pid 4242 and 2 more, cleaning up)"); // cut by who prints it
}

TEST_CASE("a time of today is its time of day, and any other has its date") {
    std::tm noon{};
    noon.tm_sec = 5;
    noon.tm_min = 4;
    noon.tm_hour = 12;
    noon.tm_mday = 3;
    noon.tm_year = 126;
    noon.tm_isdst = -1;
    const auto now = std::chrono::system_clock::from_time_t(::mktime(&noon));
    CHECK(report::local_time(now, now) == "12:04:05");
    CHECK(report::local_time(now - 12h, now) == "00:04:05");
    CHECK(report::local_time(now - 13h, now) == "2026-01-02 23:04");
    CHECK(report::local_time(now + 12h, now) == "2026-01-04 00:04");
}
