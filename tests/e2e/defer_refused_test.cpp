// --defer: any other status means that it is not registered, and a line says why.
#include "guard.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

namespace finally_run::e2e {
namespace {

void check_refused(const Outcome& outcome, std::string_view reason) {
    CHECK(outcome.status == 125);
    CHECK(lines(outcome.err).size() == 1);
    CHECK(outcome.err.find("finally-run: --defer: touch deferred: ") == 0);
    CHECK_MESSAGE(outcome.err.find(reason) != std::string::npos, outcome.err);
    CHECK_FALSE(fs::exists(work("deferred")));
}

Run defer_into(const fs::path& journal) {
    return Run({"--defer", "touch deferred"}).env("FINALLY_RUN_JOURNAL", journal);
}

TEST_CASE("outside of a run nothing can be deferred") {
    check_refused(Run({"--defer", "touch deferred"}).run(), "not inside a run");
    check_refused(defer_into("").run(), "not inside a run");
}

TEST_CASE("after the end of the run nothing can be deferred") {
    const auto run = Run({"--", "sh", "-c", "echo $FINALLY_RUN_JOURNAL"}).run();
    check_refused(defer_into(lines(run.out).at(0)).run(), "already over");
}

TEST_CASE("who defers to a run whose state directory was removed is told so") {
    const auto outcome =
        Run({"--", "sh", "-c", "rm -rf \"${FINALLY_RUN_JOURNAL%/*}\"; finally-run --defer 'touch deferred'"}).run();
    CHECK(outcome.status == 125);
    CHECK(outcome.err.find("the directory of its journal is not there") != std::string::npos);
}

TEST_CASE("nothing can be deferred to a run that was killed with its guardian") {
    const auto left = leave_unfinished(Run({"--", "helper", "pause"}));
    check_refused(defer_into(left.journal).run(), "already over");
}

TEST_CASE("right after the last cleanup, with the journal still there, nothing can be deferred" *
          doctest::skip(sanitized)) {
    auto process = Run::of({"strace", "-o", "/dev/null", "-e", "trace=unlinkat", "-e",
                            "inject=unlinkat:delay_enter=5000000", "finally-run", "-c", "true", "--", "true"})
                       .start();
    wait_until("the journal says that the run is over",
               [] { return run_files().size() == 1 && read_file(only_run_file()).find(" over") != std::string::npos; });
    check_refused(defer_into(only_run_file()).run(), "already over");
    CHECK(process.finish().status == 0);
    CHECK_FALSE(fs::exists(work("deferred")));
}

TEST_CASE("what a daemon of the command defers after the end of the run is refused") {
    make_fifo(work("fifo"));
    Run({"--", "sh", "-c",
         "setsid sh -c 'read x <fifo; finally-run --defer \"touch deferred\" 2>said; echo $? >status.new; "
         "mv status.new status' >/dev/null 2>&1 &"})
        .run();
    release(work("fifo"));
    wait_for_file(work("status"));
    CHECK(read_file(work("status")) == "125\n");
    CHECK(read_file(work("said")).find("already over") != std::string::npos);
    CHECK_FALSE(fs::exists(work("deferred")));
}

TEST_CASE("nothing can be deferred to what is no journal of ours") {
    write_file(work("file"), "text\n", 0600);
    write_file(work("open"), "", 0644);
    fs::create_symlink(work("file"), work("link"));
    check_refused(defer_into(work("file")).run(), "");
    check_refused(defer_into(work("open")).run(), "mode 0600");
    check_refused(defer_into(work("link")).run(), "symbolic link");
    check_refused(defer_into("/dev/null").run(), "not a regular file");
    CHECK(read_file(work("file")) == "text\n");
}

TEST_CASE("a journal that cannot be written takes no deferral, and the run ends as it would have") {
    auto process = Run({"-c", "echo cleaned >>log", "--", "cat"}).open_stdin().start();
    wait_until("the journal is there", [] { return run_files().size() == 1; });
    const auto refused = Run::of(unshare({"-m"}, {"sh", "-c",
                                                  "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\" && "
                                                  "exec finally-run --defer 'touch deferred'",
                                                  runs_dir()}))
                             .env("FINALLY_RUN_JOURNAL", only_run_file())
                             .run();
    check_refused(refused, "Read-only file system");
    process.close_in();
    CHECK(process.finish().status == 0);
    CHECK(log_text() == "cleaned\n");
}

TEST_CASE("a limit on files that the journal has reached refuses the deferral, and spoils nothing") {
    auto process = Run({"-c", "echo cleaned >>log", "--", "cat"}).open_stdin().start();
    wait_until("the journal is there", [] { return run_files().size() == 1; });
    const fs::path journal = only_run_file();
    wait_until("the command is recorded", [&] { return read_file(journal).find("command") != std::string::npos; });
    const auto size = static_cast<rlim_t>(fs::file_size(journal));
    for (const rlim_t more : {0, 1, 10, 30}) {
        check_refused(defer_into(journal)
                          .before_exec([size, more] {
                              const rlimit limit{size + more, size + more};
                              ::setrlimit(RLIMIT_FSIZE, &limit);
                          })
                          .run(),
                      more == 0 ? "File too large" : "");
    }
    CHECK(Run({"--defer", "echo well >>log"}).env("FINALLY_RUN_JOURNAL", journal).run().status == 0);
    process.close_in();
    const auto outcome = process.finish();
    CHECK(outcome.status == 0);
    CHECK(outcome.err.empty());
    CHECK(log_text() == "well\ncleaned\n");
    CHECK_FALSE(fs::exists(work("deferred")));
}

TEST_CASE("a full disk refuses the deferral, and every cleanup that was registered still runs") {
    const auto outcome =
        Run::of(
            unshare({"-m"}, {"sh", "-c",
                             "mkdir -m 700 \"$XDG_STATE_HOME/finally-run\" && "
                             "mount -t tmpfs -o size=64k,mode=0700 none \"$XDG_STATE_HOME/finally-run\" && "
                             "exec finally-run -c 'echo registered >>log' -- sh -c '"
                             "cat /dev/zero >$XDG_STATE_HOME/finally-run/full 2>/dev/null; "
                             "i=0; while test $i -lt 300 && finally-run --defer \"echo $i >>log; : $(seq -s. 200)\"; "
                             "do i=$((i+1)); done; echo accepted $i'"}))
            .run();
    CHECK(outcome.status == 0);
    const long accepted = number_after(outcome.out, "accepted ");
    CHECK(accepted < 300);
    CHECK(outcome.err.find("finally-run: --defer: ") == 0);
    CHECK(outcome.err.find("No space left on device") != std::string::npos);
    const auto said = lines(log_text());
    REQUIRE(said.size() == static_cast<std::size_t>(accepted) + 1);
    for (long i = 0; i < accepted; ++i)
        CHECK(said.at(static_cast<std::size_t>(i)) == std::to_string(accepted - 1 - i));
    CHECK(said.back() == "registered");
}

TEST_CASE("what is deferred to a run while its failed cleanup is tried again is refused or runs") {
    CHECK(Run({"-c", "test -e mended", "--", "true"}).run().status == 0);
    const std::string script = "(for i in $(seq 60); do FINALLY_RUN_JOURNAL=" + only_run_file().native() +
                               " finally-run --defer \"echo $i >>log\" && echo $i >>acknowledged; done; : >deferred) & "
                               "until test -e deferred; do finally-run --recover; done; : >mended; "
                               "finally-run --recover";
    CHECK(Run::of({"sh", "-c", script}).run().status == 0);
    const auto acknowledged = lines(read_file(work("acknowledged")));
    CHECK_FALSE(acknowledged.empty());
    for (const auto& number : acknowledged) {
        CHECK_MESSAGE(has_line(log_text(), number), number);
    }
    CHECK(run_files().empty());
}

} // namespace
} // namespace finally_run::e2e
