#include "rescue/stopper.hpp"

#include "../sample_stack.hpp"
#include "os/boot.hpp"
#include "support/forked.hpp"
#include "support/temp_dir.hpp"

#include <csignal>
#include <doctest/doctest.h>
#include <sys/prctl.h>
#include <unistd.h>

using namespace finally_run;

TEST_CASE("a cleanup that is to be stopped is told also while it still looks like the guardian that starts it") {
    const test::TempDir dir;
    journal::State state;
    state.opened = test::first_record();
    auto file = journal::File::create(journal::Runs(dir / "state"), state.opened, false);
    file.publish();
    test::Gate begun;
    test::Forked cleanup([&] { // has the journal and its lock, as between clone(2) and execve(2)
        ::setsid();
        ::prctl(PR_SET_NAME, "finally-guard", 0, 0, 0);
        sigset_t term;
        ::sigemptyset(&term);
        ::sigaddset(&term, SIGTERM);
        ::sigprocmask(SIG_BLOCK, &term, nullptr);
        begun.open();
        const timespec long_enough{.tv_sec = 30, .tv_nsec = 0};
        test::expect(::sigtimedwait(&term, nullptr, &long_enough) == SIGTERM, "not told");
    });
    begun.close_writer();
    REQUIRE(begun.pass());
    state.ending = plan::Ending{};
    state.cleaning = journal::Started{
        .what = journal::Started::What::cleanup, .process = {cleanup.pid(), os::boot_nanoseconds()}, .cleanup = 1};
    rescue::Stopper stopper(file, [](std::string_view) {});
    stopper.look(state);
    CHECK(cleanup.succeeded());
}
