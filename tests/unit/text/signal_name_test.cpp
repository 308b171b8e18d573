// text/signal_name: names and numbers of signals.
#include "text/signal_name.hpp"

#include <doctest/doctest.h>

#include <csignal>

using finally_run::text::parse_signal;
using finally_run::text::signal_name;

TEST_SUITE("text/signal_name") {
    TEST_CASE("a signal has a name, with SIG or without, in any case, and a number") {
        for (const auto* text : {"TERM", "SIGTERM", "term", "SigTerm", "15"}) {
            CAPTURE(text);
            CHECK(parse_signal(text) == SIGTERM);
        }
        CHECK(parse_signal("KILL") == SIGKILL);
        CHECK(parse_signal("iot") == SIGABRT);
        CHECK(parse_signal("POLL") == SIGIO);
    }

    TEST_CASE("real-time signals count from both ends") {
        CHECK(parse_signal("RTMIN") == SIGRTMIN);
        CHECK(parse_signal("sigrtmin+3") == SIGRTMIN + 3);
        CHECK(parse_signal("RTMAX") == SIGRTMAX);
        CHECK(parse_signal("RTMAX-1") == SIGRTMAX - 1);
        CHECK(parse_signal("RTMIN+" + std::to_string(SIGRTMAX - SIGRTMIN)) == SIGRTMAX);
        CHECK(parse_signal(std::to_string(SIGRTMAX)) == SIGRTMAX);
    }

    TEST_CASE("what is no signal is refused") {
        for (const auto* text : {"",
                                 "0",
                                 "-1",
                                 "+15",
                                 "15x",
                                 " 15",
                                 "65",
                                 "32",
                                 "99999999999",
                                 "SIG",
                                 "SIGSIGTERM",
                                 "SIG15",
                                 "TERMINATE",
                                 "EXIT",
                                 "RTMIN-1",
                                 "RTMAX+1",
                                 "RTMIN+",
                                 "RTMIN+31",
                                 "RTMIN+99999999999",
                                 "RTMIN+-1",
                                 "RTMIN++1",
                                 "RTMIN3"}) {
            CAPTURE(text);
            CHECK_FALSE(parse_signal(text).has_value());
        }
    }

    TEST_CASE("a name that is printed can be read again") {
        for (int signal = 1; signal <= SIGRTMAX; ++signal) {
            if (const auto parsed = parse_signal(std::to_string(signal))) {
                CAPTURE(signal);
                CHECK(parse_signal(signal_name(signal)) == signal);
            }
        }
        CHECK(signal_name(SIGTERM) == "TERM");
        CHECK(signal_name(SIGABRT) == "ABRT");
        CHECK(signal_name(SIGRTMIN) == "RTMIN");
        CHECK(signal_name(SIGRTMIN + 3) == "RTMIN+3");
    }

    TEST_CASE("every signal below the real-time ones has a name") {
        for (int signal = 1; signal <= 31; ++signal) {
            CAPTURE(signal);
            CHECK(signal_name(signal) != std::to_string(signal));
        }
    }

    TEST_CASE("a number without a name prints as it is") {
        CHECK(signal_name(32) == "32");
        CHECK(signal_name(0) == "0");
        CHECK(signal_name(1000) == "1000");
    }
}
