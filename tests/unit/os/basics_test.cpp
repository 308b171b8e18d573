#include "child.hpp"
#include "os/clock.hpp"
#include "os/fd.hpp"
#include "support/forked.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <limits>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

using namespace finally_run;
using namespace std::chrono_literals;

TEST_CASE("an Fd closes its descriptor once, and keeps errno") {
    const int number = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    os::Fd fd(number);
    os::Fd other = std::move(fd);
    CHECK(other.get() == number);
    errno = ENOENT;
    other.reset();
    CHECK(errno == ENOENT);
    CHECK(::fcntl(number, F_GETFD) == -1);
}

TEST_CASE("our descriptors are close-on-exec and numbered 64 or higher") {
    const os::Fd fd = os::moved_high(os::Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
    CHECK(fd.get() >= 64);
    CHECK(::fcntl(fd.get(), F_GETFD) == FD_CLOEXEC);
}

TEST_CASE("under a limit below 64 our descriptors still keep clear of stdin, stdout and stderr") {
    rlimit limit = {};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 32;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    const int saved_stdin = ::dup(STDIN_FILENO);
    ::close(STDIN_FILENO);
    const os::Fd fd = os::moved_high(os::Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
    CHECK(fd.get() >= 3);
    CHECK(fd.get() < 32);
    ::dup2(saved_stdin, STDIN_FILENO);
    ::close(saved_stdin);
}

TEST_CASE("a limit that is too long for the clock never ends") {
    CHECK_FALSE(os::deadline_after(text::Duration::max()).has_value());
    CHECK_FALSE(os::deadline_after(std::nullopt).has_value());
    CHECK_FALSE(os::has_passed(os::Deadline()));
    CHECK(os::poll_timeout(std::nullopt) == -1);
}

TEST_CASE("the earliest deadline counts, and none is later than any") {
    const auto now = os::Clock::now();
    CHECK(os::earliest({std::nullopt, now + 2s, now + 1s}) == os::Deadline(now + 1s));
    CHECK_FALSE(os::earliest({std::nullopt, std::nullopt}).has_value());
}

TEST_CASE("a poll never wakes before its deadline, and the timeout fits its type") {
    CHECK(os::poll_timeout(os::Clock::now() + 1500us) >= 1);
    CHECK(os::poll_timeout(os::Clock::now() - 1s) == 0);
    CHECK(os::poll_timeout(os::Clock::now() + std::chrono::hours(10000)) == std::numeric_limits<int>::max());
    CHECK(os::has_passed(os::deadline_after(text::Duration::zero())));
}

TEST_CASE("an exception that nobody catches is said before the process aborts") {
    test::Gate said;
    const test::Forked child([&] {
        ::dup2(said.writer(), STDERR_FILENO);
        std::signal(SIGABRT, SIG_DFL);
        [&]() noexcept { os::throw_error(ENOSPC, "write", "journal"); }();
    });
    CHECK(said.rest() == "finally-run: nobody expected: write: journal: No space left on device\n");
    siginfo_t info = {};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOWAIT) == 0);
    CHECK(os::WaitStatus::from(info).signal() == SIGABRT);
}
