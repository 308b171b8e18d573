#include "supervise/deliveries.hpp"

#include <csignal>
#include <doctest/doctest.h>

using namespace finally_run;
using namespace std::chrono_literals;
using supervise::Deliveries;

namespace {

constexpr pid_t somebody = 100;
constexpr pid_t somebody_else = 101;
constexpr os::Clock::time_point start{1h};

os::Signal arriving(int number, pid_t sender = somebody) { return {number, false, sender}; }

} // namespace

TEST_CASE("a signal that the sentinel got too was not for us alone") {
    Deliveries deliveries;
    CHECK_FALSE(deliveries.claim(arriving(SIGTERM), start));
    deliveries.add({arriving(SIGTERM), start});
    CHECK(deliveries.claim(arriving(SIGTERM), start + 1ms));
}

TEST_CASE("another signal, another sender and the kernel are another delivery") {
    Deliveries deliveries;
    deliveries.add({arriving(SIGTERM), start});
    CHECK_FALSE(deliveries.claim(arriving(SIGINT), start));
    CHECK_FALSE(deliveries.claim(arriving(SIGTERM, somebody_else), start));
    CHECK_FALSE(deliveries.claim({SIGTERM, true, somebody}, start));
    CHECK(deliveries.claim(arriving(SIGTERM), start));
}

TEST_CASE("a delivery answers once, but for the same signal right behind") {
    Deliveries deliveries;
    deliveries.add({arriving(SIGTERM), start});
    CHECK(deliveries.claim(arriving(SIGTERM), start));
    CHECK(deliveries.claim(arriving(SIGTERM), start + 5ms));
    CHECK_FALSE(deliveries.claim(arriving(SIGTERM), start + 300ms));
}

TEST_CASE("two deliveries in a row answer for two signals") {
    Deliveries deliveries;
    deliveries.add({arriving(SIGTERM), start});
    deliveries.add({arriving(SIGTERM), start + 1ms});
    CHECK(deliveries.claim(arriving(SIGTERM), start + 2ms));
    CHECK(deliveries.claim(arriving(SIGTERM), start + 80ms));
    // The second was claimed only then, so it is the one that still answers.
    CHECK(deliveries.claim(arriving(SIGTERM), start + 160ms));
    CHECK_FALSE(deliveries.claim(arriving(SIGTERM), start + 600ms));
}

TEST_CASE("a delivery of long ago answers for nothing") {
    Deliveries deliveries;
    deliveries.add({arriving(SIGTERM), start});
    CHECK(Deliveries(deliveries).claim(arriving(SIGTERM), start + 900ms));
    CHECK_FALSE(deliveries.claim(arriving(SIGTERM), start + 1100ms));
}

TEST_CASE("who is gone has told everybody, and who is kept from going on gets more time than who is idle") {
    using supervise::SenderState;
    CHECK(supervise::patience(SenderState::gone) == 0ms);
    CHECK(supervise::patience(SenderState::idle) > 0ms);
    CHECK(supervise::patience(SenderState::busy) > supervise::patience(SenderState::idle));
}
