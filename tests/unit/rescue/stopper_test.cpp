#include "rescue/stopper.hpp"

#include "../sample_stack.hpp"
#include "os/boot.hpp"
#include "support/forked.hpp"
#include "support/temp_dir.hpp"

#include <chrono>
#include <csignal>
#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <unistd.h>

using namespace finally_run;

namespace {

// A run, and a process that waits to be told to end.
struct Stopped {
    test::TempDir dir;
    journal::State state;
    journal::File file = [this] {
        state.opened = test::first_record();
        state.opened.grace = std::chrono::seconds(10);
        return journal::File::create(journal::Runs(dir / "state"), state.opened, false);
    }();
    test::Gate begun;
    test::Forked cleanup{[this] { // has the journal and its lock, as between clone(2) and execve(2)
        ::setsid();
        ::prctl(PR_SET_NAME, "finally-guard", 0, 0, 0);
        sigset_t term;
        ::sigemptyset(&term);
        ::sigaddset(&term, SIGTERM);
        ::sigprocmask(SIG_BLOCK, &term, nullptr);
        begun.open();
        const timespec long_enough{.tv_sec = 30, .tv_nsec = 0};
        test::expect(::sigtimedwait(&term, nullptr, &long_enough) == SIGTERM, "not told");
    }};
    rescue::Stopper stopper{file, [](std::string_view) {}};

    Stopped() {
        file.publish();
        begun.close_writer();
        REQUIRE(begun.pass());
    }
    void begin_cleanup() {
        state.cleaning = journal::Started{
            .what = journal::Started::What::cleanup, .process = {cleanup.pid(), os::boot_nanoseconds()}, .cleanup = 1};
    }
};

} // namespace

TEST_CASE("a cleanup that is to be stopped is told also while it still looks like the guardian that starts it") {
    Stopped run;
    run.state.ending = plan::Ending{};
    run.begin_cleanup();
    run.stopper.look(run.state);
    CHECK(run.cleanup.succeeded());
}

TEST_CASE("a cleanup before the first step is stopped also if it begins after its run was told to stop") {
    Stopped run;
    run.stopper.look(run.state);
    run.begin_cleanup();
    run.stopper.look(run.state);
    CHECK(run.cleanup.succeeded());
}

TEST_CASE("a cleanup that begins when its run was told to stop and the command is over is let run") {
    Stopped run;
    run.stopper.look(run.state);
    run.state.ending = plan::Ending{};
    run.begin_cleanup();
    run.stopper.look(run.state);
    CHECK_FALSE(run.stopper.next_kill());
}
