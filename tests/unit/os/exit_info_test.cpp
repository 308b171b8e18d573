#include "os/exit_info.hpp"

#include "child.hpp"
#include "os/process.hpp"
#include "support/forked.hpp"
#include "support/hardship.hpp"
#include "support/kernel.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <doctest/doctest.h>
#include <sys/syscall.h>
#include <sys/wait.h>

using namespace finally_run;
using namespace std::chrono_literals;

namespace {

// A process that ends when the gate opens, and the pidfd that was had before.
struct Ending {
    template <class End>
    explicit Ending(const End& end)
        : process([this, end] {
              static_cast<void>(gate.pass());
              end();
          }) {
        pidfd = os::open_pidfd(process.pid());
        gate.open();
    }
    void reap() const { static_cast<void>(::waitpid(process.pid(), nullptr, 0)); }

    test::Gate gate;
    test::Forked process;
    os::Fd pidfd;
};

} // namespace

TEST_CASE("how a process ended is known after it was reaped where the kernel tells and nowhere else") {
    const Ending exits([] { ::_exit(7); });
    exits.reap();
    const auto exit = os::exit_info(exits.pidfd, os::deadline_after(30s));
    const Ending dies([] { ::raise(SIGKILL); });
    dies.reap();
    const auto death = os::exit_info(dies.pidfd, os::deadline_after(30s));
    const Ending succeeds([] {});
    succeeds.reap();
    const auto success = os::exit_info(succeeds.pidfd, os::deadline_after(30s));
    REQUIRE(exit.has_value() == test::kernel_tells_exits());
    REQUIRE(death.has_value() == exit.has_value());
    REQUIRE(success.has_value() == exit.has_value());
    if (exit) {
        CHECK(exit->shell_code() == 7);
        CHECK(death->signal() == SIGKILL);
        CHECK(success->success());
    }
}

TEST_CASE("of a process that nobody reaps nothing is known and nobody waits for ever") {
    const Ending ends([] {});
    siginfo_t info = {};
    ::waitid(P_PID, static_cast<id_t>(ends.process.pid()), &info, WEXITED | WNOWAIT);
    CHECK_FALSE(os::exit_info(ends.pidfd, os::deadline_after(1ms)));
}

TEST_CASE("nothing is known of an end without a pidfd or where ioctl is refused") {
    CHECK_FALSE(os::exit_info({}, {}));
    test::Forked refused([] {
        const Ending ends([] {});
        test::refuse_system_call(SYS_ioctl, EPERM);
        test::expect(!os::exit_info(ends.pidfd, {}), "an answer");
    });
    CHECK(refused.succeeded());
}
