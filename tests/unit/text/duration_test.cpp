// text/duration: what a DURATION may look like.
#include "text/duration.hpp"

#include <doctest/doctest.h>

#include <string>

using finally_run::text::Duration;
using finally_run::text::parse_duration;
using namespace std::chrono_literals;

TEST_SUITE("text/duration") {
    TEST_CASE("a number without a unit is seconds") {
        CHECK(parse_duration("10") == 10s);
        CHECK(parse_duration("0") == 0s);
        CHECK(parse_duration("007") == 7s);
    }

    TEST_CASE("the units are ms, s, m, h and d") {
        CHECK(parse_duration("250ms") == 250ms);
        CHECK(parse_duration("3s") == 3s);
        CHECK(parse_duration("2m") == 2min);
        CHECK(parse_duration("1h") == 1h);
        CHECK(parse_duration("1d") == 24h);
    }

    TEST_CASE("a fraction counts in the unit") {
        CHECK(parse_duration(".5") == 500ms);
        CHECK(parse_duration("2.25m") == 135s);
        CHECK(parse_duration("5.") == 5s);
        CHECK(parse_duration("0.001ms") == 1us);
        CHECK(parse_duration("1.000000001") == 1s + 1ns);
    }

    TEST_CASE("several with a unit each are added up") {
        CHECK(parse_duration("1h30m") == 90min);
        CHECK(parse_duration("1m30s") == 90s);
        CHECK(parse_duration("1d2h3m4s5ms") == 26h + 3min + 4s + 5ms);
        CHECK(parse_duration("1.5h.5s") == 90min + 500ms);
        CHECK(parse_duration("106752d1s") == Duration::max());
        CHECK(parse_duration("0h0.0000000001s") == 1ns);
        for (const auto* text : {"1h30", "1s5", "1h 30m", "1h,30m", "1hm", "h30m", "1h-30m", "1h.m", "1m1.2.3s"}) {
            CAPTURE(text);
            CHECK_FALSE(parse_duration(text).has_value());
        }
    }

    TEST_CASE("a huge number saturates") {
        CHECK(parse_duration("9223372037") == Duration::max());
        CHECK(parse_duration("106752d") == Duration::max());
        CHECK(parse_duration(std::string(5000, '9') + "d") == Duration::max());
        CHECK(parse_duration("9223372036.999") == Duration::max());
        CHECK(parse_duration("9223372036") == 9223372036s);
    }

    TEST_CASE("what is smaller than a nanosecond is not zero, which would mean no limit") {
        CHECK(parse_duration("0.0000000001") == 1ns);
        CHECK(parse_duration("." + std::string(1000, '0') + "1ms") == 1ns);
        CHECK(parse_duration("0.000000000000") == 0ns);
    }

    TEST_CASE("anything else is refused") {
        for (const auto* text : {"",     ".",   "s",   ".s", "1.2.3", "-1",  "+1",   " 1",  "1 ",   "1 s", "1e3",
                                 "0x10", "inf", "nan", "1S", "1sec",  "1us", "1m30", "1,5", "10\n", "1..", "٣"}) {
            CAPTURE(text);
            CHECK_FALSE(parse_duration(text).has_value());
        }
    }
}
