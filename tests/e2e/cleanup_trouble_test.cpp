// Cleanups that fail, hang, fork, print into the void, or are interrupted.
#include "guard.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

namespace finally_run::e2e {
namespace {

TEST_CASE("a failed cleanup is reported and the others run") {
    const auto outcome = Run({"-c", "echo last", "-c", "exit 7", "-c", "no-such-program-anywhere", "-c",
                              "helper die-of SEGV", "-c", "echo first", "--", "true"})
                             .run();
    CHECK(outcome.status == 0);
    CHECK(has_line(outcome.err, "first"));
    CHECK(has_line(outcome.err, "last"));
    std::size_t reports = 0;
    for (const auto& line : lines(outcome.err)) {
        if (line.rfind("finally-run: cleanup: ", 0) == 0)
            ++reports;
    }
    CHECK(reports == 3);
    CHECK(outcome.err.find("exit 7") != std::string::npos);
    CHECK(outcome.err.find("helper die-of SEGV") != std::string::npos);
}

TEST_CASE("a cleanup that hangs is ended by its time limit and the others run") {
    const auto outcome = Run({"--strict", "--cleanup-timeout", ".1", "-c", "echo last", "-c", "helper pause", "-c",
                              "echo first", "--", "true"})
                             .run();
    CHECK(outcome.status == 120);
    CHECK(has_line(outcome.err, "first"));
    CHECK(has_line(outcome.err, "last"));
    CHECK(outcome.err.find("finally-run: cleanup: helper pause") != std::string::npos);
}

TEST_CASE("a cleanup that ignores the end of its time is killed with its children") {
    const auto outcome = Run({"--cleanup-timeout", ".1", "--grace", ".1", "-c", "echo last", "-c",
                              "helper grandchild pid TERM; true", "-c", "echo first", "--", "true"})
                             .run();
    CHECK(has_line(outcome.err, "last"));
    const auto pid = static_cast<pid_t>(number_after(read_file(work("pid")), ""));
    CHECK_FALSE(alive(pid));
}

TEST_CASE("a cleanup within its time limit is left alone, and each has its own limit") {
    const auto outcome =
        Run({"--strict", "--cleanup-timeout", "30", "-c", "echo a", "-c", "sleep .1", "-c", "sleep .1", "--", "true"})
            .run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err == "a\n");
}

TEST_CASE("a cleanup that fails is tried again as often as asked") {
    constexpr const char* third_time = "echo try; echo x >>tries; test $(wc -l <tries) -ge 3";
    const auto enough = Run({"--strict", "--cleanup-retries", "2", "-c", third_time, "--", "true"}).run();
    CHECK(enough.status == 0);
    CHECK(count(enough.err, "try\n") == 3);
    fs::remove(work("tries"));
    const auto too_few = Run({"--strict", "--cleanup-retries", "1", "-c", third_time, "--", "true"}).run();
    CHECK(too_few.status == 120);
    CHECK(count(too_few.err, "try\n") == 2);
}

TEST_CASE("a cleanup that leaves a process behind is reported and counts as failed") {
    const auto outcome = Run({"--strict", "-c", "echo last", "-c", "helper orphan pid", "--", "true"}).run();
    CHECK(outcome.status == 120);
    CHECK(has_line(outcome.err, "last"));
    CHECK(outcome.err.find("finally-run: cleanup: helper orphan pid: ") != std::string::npos);
}

TEST_CASE("a printing cleanup goes to its end although nobody reads stderr any more") {
    auto process = Run({"-c", "echo noise; echo noise; echo noise && touch cleaned", "--", "cat"}).open_stdin().start();
    process.close_err();
    process.close_in();
    CHECK(process.finish().status == 0);
    CHECK(fs::exists(work("cleaned")));
}

TEST_CASE("the log of a run whose stderr nobody reads says which cleanup has failed and what to do") {
    auto process = Run({"-c", "echo noise; exit 7", "--", "cat"}).open_stdin().start();
    process.close_err();
    process.close_in();
    CHECK(process.finish().status == 0);
    REQUIRE(run_files().size() == 2);
    const fs::path log = run_files().back();
    const std::string id = log.stem();
    const auto said = lines(read_file(log));
    REQUIRE(said.size() > 3);
    CHECK(said.at(said.size() - 3) == "noise");
    CHECK(said.at(said.size() - 2) ==
          "finally-run: cleanup: echo noise; exit 7: exit status 7: finally-run --recover " + id +
              " tries again, --forget " + id + " drops it");
    CHECK(said.back() == "cleaned up, 0 of 1 cleanup succeeded");
}

TEST_CASE("a cleanup that prints goes to its end although the reader of stderr goes away meanwhile") {
    auto process =
        Run({"-c", "echo begun; until test -e go; do sleep .01; done; seq 100000 && touch cleaned", "--", "true"})
            .start();
    process.wait_for_err("begun");
    process.close_err();
    write_file(work("go"), "");
    CHECK(process.finish().status == 0);
    CHECK(fs::exists(work("cleaned")));
}

TEST_CASE("a signal during a cleanup does not reach it, and the first says what is running") {
    make_fifo(work("fifo"));
    auto process = Run({"-c", "echo last", "-c", "echo begun; read x <fifo; echo ended", "--", "true"}).start();
    process.wait_for_err("begun");
    process.signal(SIGTERM);
    CHECK(process.wait_for_err("finally-run: ").find("read x <fifo") != std::string::npos);
    process.signal(SIGHUP);
    process.signal(SIGINT);
    release(work("fifo"));
    const auto outcome = process.finish();
    CHECK(has_line(outcome.err, "ended"));
    CHECK(has_line(outcome.err, "last"));
}

TEST_CASE("no cleanup is hit by a hail of signals to finally-run's group, not even while it is being started") {
    make_fifo(work("fifo"));
    std::vector<std::string> words{"--strict"};
    for (int i = 0; i < 200; ++i)
        words.insert(words.end(), {"-c", "helper exit 0"});
    words.insert(words.end(), {"-c", "echo begun; read x <fifo", "--", "true"});
    auto process = Run(words).start();
    process.wait_for_err("begun");
    release(work("fifo"));
    wait_until("the run is over", [&] {
        for (int i = 0; i < 20; ++i)
            ::kill(-process.pid(), SIGHUP);
        return !alive(process.pid());
    });
    CHECK(process.finish().status == 0);
}

TEST_CASE("cleanups go on when the directory for new files is full") {
    const auto outcome = Run::of(unshare({"-m"}, {"sh", "-c",
                                                  "mount -t tmpfs -o size=4k none \"$TMPDIR\" && "
                                                  "exec finally-run -c 'echo last' --temp-dir T -c 'echo first' -- "
                                                  "sh -c 'cat /dev/zero >$T/full 2>/dev/null; exit 3'"}))
                             .run();
    CHECK(outcome.status == 3);
    CHECK(outcome.err == "first\nlast\n");
}

TEST_CASE("a cleanup that prints runs to its end though the disk of stderr is full and that of the log as well") {
    for (const std::string disk : {"$TMPDIR", "$XDG_STATE_HOME"}) {
        CAPTURE(disk);
        fs::remove(work("log"));
        const std::string fill = "cat /dev/zero >" + disk + "/full 2>/dev/null; true";
        const auto outcome =
            Run::of(unshare({"-m"}, {"sh", "-c",
                                     "mount -t tmpfs -o size=64k,mode=0700 none \"" + disk +
                                         "\" && exec finally-run -c 'set -e; seq 1000; echo cleaned >>log' -- sh -c '" +
                                         fill + "' 2>\"" + disk + "/err\""}))
                .run();
        CHECK(outcome.status == 0);
        CHECK(log_text() == "cleaned\n");
    }
}

TEST_CASE("a run whose stack may not grow as it needs does not begin") {
    const auto outcome = Run({"-s", "touch ran", "-c", "true", "--", "touch", "ran"})
                             .before_exec([] {
                                 const rlimit little{64 << 10, RLIM_INFINITY};
                                 ::setrlimit(RLIMIT_STACK, &little);
                             })
                             .run();
    CHECK(outcome.status == 125);
    CHECK(outcome.err ==
          "finally-run: cannot run with a stack of less than 128 KiB (ulimit -s): Cannot allocate memory\n");
    CHECK_FALSE(fs::exists(work("ran")));
}

TEST_CASE("a limit on file size or cpu time of the command's does not keep cleanups from running") {
    const auto outcome = Run({"-c", "echo cleaned", "--", "sh", "-c", "head -c 20000 /dev/zero >file"})
                             .before_exec([] {
                                 const rlimit little{8192, RLIM_INFINITY};
                                 ::setrlimit(RLIMIT_FSIZE, &little);
                             })
                             .run();
    CHECK(outcome.status != 0);
    CHECK(has_line(outcome.err, "cleaned"));
}

TEST_CASE("a cleanup that kills its own process group ends only itself") {
    const auto outcome = Run({"-c", "echo last", "-c", "kill -TERM 0; sleep 60", "--", "true"}).run();
    CHECK(outcome.status == 0);
    CHECK(has_line(outcome.err, "last"));
}

TEST_CASE("a cleanup that stops itself does not hang the run for ever") {
    const auto outcome =
        Run({"--cleanup-timeout", ".1", "--grace", ".1", "-c", "echo last", "-c", "helper stop-self", "--", "true"})
            .run();
    CHECK(has_line(outcome.err, "last"));
}

TEST_CASE("a cleanup is not lost when no process can be made for a moment" * doctest::skip(sanitized)) {
    const auto outcome =
        Run::of({"strace", "-o", "/dev/null", "-e", "trace=clone", "-e", "inject=clone:error=EAGAIN:when=3",
                 "finally-run", "--strict", "-c", "echo last", "-c", "echo first", "--", "echo", "ran"})
            .run();
    CHECK(outcome.status == 0);
    CHECK(outcome.out == "ran\n");
    CHECK(outcome.err == "first\nlast\n");
}

TEST_CASE("that no process can be made for a cleanup is said when it takes long" * doctest::skip(sanitized)) {
    const auto outcome =
        Run::of({"strace", "-o", "/dev/null", "-e", "trace=clone", "-e", "inject=clone:error=EAGAIN:when=3..7",
                 "finally-run", "--strict", "-c", "echo cleaned", "--", "echo", "ran"})
            .run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err == "finally-run: cleanup: echo cleaned: cannot be started: Resource temporarily unavailable"
                         ", try 1 of 1 in 1.6s\ncleaned\n");
}

TEST_CASE("with a grace of 0 what outlives the time limit of a cleanup is waited for and not killed") {
    make_fifo(work("fifo"));
    auto process = Run({"--cleanup-timeout", ".1", "--grace", "0", "-c", "echo last", "-c",
                        "(trap '' TERM; read x <fifo; echo survived) & echo CLEANUP $$; sleep 300", "--", "true"})
                       .start();
    wait_for_end(static_cast<pid_t>(number_after(process.wait_for_err("CLEANUP "), "CLEANUP ")));
    release(work("fifo"));
    const auto outcome = process.finish();
    CHECK(has_line(outcome.err, "survived"));
    CHECK(outcome.err.find("survived\n") < outcome.err.find("last\n"));
}

} // namespace
} // namespace finally_run::e2e
