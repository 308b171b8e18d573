// What becomes of processes that the command leaves behind.
#include "harness.hpp"
#include "support/proc.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

// For a cleanup: is the process whose pid is in this file still there?
constexpr const char* alive_or_dead = "kill -0 $(cat pid) 2>/dev/null && echo alive || echo dead";

pid_t pid_in(const char* file) { return static_cast<pid_t>(number_after(read_file(work(file)), "")); }

TEST_CASE("a stopped command takes its session-mates along before the first cleanup, those that ignore TERM too") {
    auto process = Run({"--grace", ".1", "-c", alive_or_dead, "--", "helper", "grandchild", "pid", "TERM"}).start();
    process.wait_for_line("READY");
    process.signal(SIGTERM);
    const auto outcome = process.finish();
    CHECK(outcome.signal == SIGTERM);
    CHECK(has_line(outcome.err, "dead"));
    CHECK(has_line(outcome.err, "finally-run: outlived the grace period, sent KILL: helper grandchild pid TERM: pid " +
                                    std::to_string(pid_in("pid"))));
}

TEST_CASE("who forks and ends again and again does not get away from the end of the grace period") {
    for (int i = 0; i < tries(10); ++i) { // each look at /proc may see him by chance
        const auto outcome = Run({"--grace", ".1", "--timeout", ".1", "-c", "echo cleaned >log", "--", "sh", "-c",
                                  "helper relay 15 >ready & helper pause"})
                                 .run();
        CHECK(outcome.status == 124);
        CHECK(leftovers().empty());
        CHECK(read_file(work("log")) == "cleaned\n");
    }
}

TEST_CASE("a session-mate that has a process group of its own is taken along too") {
    auto process =
        Run({"--grace", ".1", "-c", alive_or_dead, "--", "bash", "-mc", "helper grandchild pid TERM & wait"}).start();
    process.wait_for_line("READY");
    process.signal(SIGTERM);
    CHECK(has_line(process.finish().err, "dead"));
}

TEST_CASE("a session-mate whose parent has long gone is taken along too") {
    auto process =
        Run({"--grace", ".1", "-c", alive_or_dead, "--", "sh", "-c", "helper orphan pid TERM; exec helper pause"})
            .start();
    process.wait_for_line("READY");
    process.signal(SIGTERM);
    CHECK(has_line(process.finish().err, "dead"));
}

TEST_CASE("a session-mate may use the grace period to end in its own way") {
    auto process = Run({"--grace", "30", "-c", "cat said", "--", "sh", "-c",
                        "(trap 'echo goodbye >said; exit' TERM; echo up >up; while :; do sleep .01; done) & "
                        "while ! test -e up; do sleep .01; done; exec helper pause"})
                       .start();
    process.wait_for_line("READY");
    process.signal(SIGTERM);
    CHECK(has_line(process.finish().err, "goodbye"));
}

TEST_CASE("a daemon in a session of its own is left for the cleanups to stop") {
    auto process =
        Run({"--grace", ".1", "-c", alive_or_dead, "--", "sh", "-c", "helper daemon pid; exec helper pause"}).start();
    process.wait_for_line("READY");
    process.signal(SIGTERM);
    CHECK(has_line(process.finish().err, "alive"));
    CHECK(alive(pid_in("pid")));
}

TEST_CASE("a step can stop a daemon and wait until it is gone") {
    constexpr const char* stop =
        "kill $(cat pid) && while kill -0 $(cat pid) 2>/dev/null; do sleep .01; done; echo stopped";
    const auto by_cleanup = Run({"-c", stop, "--", "helper", "daemon", "pid"}).run();
    CHECK(has_line(by_cleanup.err, "stopped"));
    const auto by_command = Run({"-s", "helper daemon pid", "--", "sh", "-c", stop}).run();
    CHECK(has_line(by_command.out, "stopped"));
    const auto by_setup = Run({"-s", "helper daemon pid", "-s", stop, "--", "true"}).run();
    CHECK(has_line(by_setup.err, "stopped"));
}

TEST_CASE("orphans of a command that ended by itself are left alone") {
    const auto outcome = Run({"-c", alive_or_dead, "--", "helper", "orphan", "pid"}).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err == "alive\n");
    CHECK(alive(pid_in("pid")));
}

TEST_CASE("an orphan that holds stdout and stderr open does not keep finally-run from returning") {
    auto process = Run({"--", "sh", "-c", "helper orphan pid; echo done"}).start();
    CHECK(process.finish().out == "done\n");
    CHECK(alive(pid_in("pid")));
}

TEST_CASE("orphans are killed before the cleanups when asked, those in sessions of their own too") {
    for (const char* how : {"orphan", "daemon"}) {
        CAPTURE(std::string(how));
        const auto outcome =
            Run({"--orphans", "kill", "--grace", ".1", "-c", alive_or_dead, "--", "helper", how, "pid", "TERM"}).run();
        CHECK(outcome.status == 0);
        CHECK(has_line(outcome.err, "dead"));
        CHECK_FALSE(alive(pid_in("pid")));
        fs::remove(work("pid"));
    }
}

TEST_CASE("killed orphans get TERM first") {
    const auto outcome = Run({"--orphans", "kill", "--grace", "30", "-c", "cat said", "--", "sh", "-c",
                              "(trap 'echo goodbye >said; exit' TERM; echo up >up; while :; do sleep .01; done) & "
                              "while ! test -e up; do sleep .01; done"})
                             .run();
    CHECK(has_line(outcome.err, "goodbye"));
}

TEST_CASE("orphans are waited for before the cleanups when asked") {
    make_fifo(work("fifo"));
    auto process = Run({"--orphans", "wait", "-c", "echo cleaned", "--", "sh", "-c",
                        "(read x <fifo; echo orphan ended >&2) & exit 3"})
                       .start();
    release(work("fifo"));
    const auto outcome = process.finish();
    CHECK(outcome.status == 3);
    CHECK(outcome.err == "orphan ended\ncleaned\n");
}

TEST_CASE("waiting for orphans includes those in sessions of their own and those of orphans") {
    make_fifo(work("fifo"));
    auto process = Run({"--orphans", "wait", "-c", "echo cleaned", "--", "sh", "-c",
                        "setsid sh -c '(read x <fifo; echo orphan ended >&2) & exit' & exit 0"})
                       .start();
    release(work("fifo"));
    CHECK(process.finish().err == "orphan ended\ncleaned\n");
}

TEST_CASE("waiting for orphans ends with a stop signal, and they end with it") {
    auto process =
        Run({"--orphans", "wait", "--grace", ".1", "-c", alive_or_dead, "--", "helper", "orphan", "pid", "TERM"})
            .start();
    wait_for_orphan_of(process.pid());
    process.signal(SIGTERM);
    CHECK(has_line(process.finish().err, "dead"));
}

TEST_CASE("waiting for orphans ends with the time limit of the command and they end with it") {
    const auto outcome = Run({"--orphans", "wait", "-t", "1", "--grace", ".1", "-c", "echo by $FINALLY_RUN_RESULT",
                              "-c", alive_or_dead, "--", "helper", "orphan", "pid", "TERM"})
                             .run();
    CHECK(outcome.status == 124);
    CHECK(has_line(outcome.err, "finally-run: time limit: 1.0s: sent TERM"));
    CHECK(has_line(outcome.err, "by timeout"));
    CHECK(has_line(outcome.err, "dead"));
}

TEST_CASE("waiting for orphans ends when a service has ended that ends the run and they end with it") {
    make_fifo(work("fifo"));
    auto process = Run({"--service", "read x <fifo", "--service-exit", "stop", "--orphans", "wait", "--grace", ".1",
                        "-c", alive_or_dead, "--", "helper", "orphan", "pid", "TERM"})
                       .start();
    wait_for_orphan_of(process.pid());
    release(work("fifo"));
    const auto outcome = process.finish();
    CHECK(outcome.status == 125);
    CHECK(has_line(outcome.err, "dead"));
}

TEST_CASE("a stop signal that comes just when the command ends does not leave finally-run waiting for ever") {
    for (int i = 0; i < tries(30); ++i) {
        auto process = Run({"--grace", ".05", "-c", alive_or_dead, "--", "helper", "orphan", "pid", "TERM"}).start();
        wait_until("the command ends", [&] { return fs::exists(work("pid")) || !alive(process.pid()); });
        process.signal(SIGTERM);
        const auto outcome = process.finish();
        CHECK(has_line(outcome.err, "dead") != has_line(outcome.err, "alive"));
        fs::remove(work("pid"));
    }
}

TEST_CASE("finally-run leaves no process behind") {
    CHECK(Run({"-l", "a", "-s", "true", "-c", "true", "--temp-dir", "T", "--", "true"}).run().status == 0);
    CHECK(leftovers().empty());
}

TEST_CASE("a suspended process in the background is continued when the command is stopped, so that it can end") {
    auto process =
        Run({"--grace", "0", "-c", alive_or_dead, "--", "sh", "-c", "helper stop-self & echo $! >pid; wait"}).start();
    process.wait_for_line("READY");
    wait_until("the shell has written the pid", [] { return pid_in("pid") != 0; });
    wait_for_state(pid_in("pid"), 'T');
    process.signal(SIGTERM);
    const auto outcome = process.finish();
    CHECK(outcome.signal == SIGTERM);
    CHECK(has_line(outcome.err, "dead"));
}

TEST_CASE("an orphan whose main thread has ended is waited for") {
    make_fifo(work("fifo"));
    auto process = Run({"--orphans", "wait", "-c", "echo cleaned", "--", "helper", "headless", "pid", "fifo"}).start();
    const auto command = static_cast<pid_t>(number_after(process.wait_for_line("READY "), "READY "));
    // In this order: who sleeps after the end of the command, and has started nothing since, waits for the orphan.
    wait_until("the orphan is waited for", [&] {
        return state_of(command) == 0 && state_of(process.pid()) == 'S' &&
               test::children_running("finally-run", process.pid()).empty() &&
               test::children_running("sh", process.pid()).empty();
    });
    release(work("fifo"));
    CHECK(process.finish().err == "thread ended\ncleaned\n");
}

TEST_CASE("an orphan whose main thread has ended is killed when asked") {
    make_fifo(work("fifo"));
    const auto outcome =
        Run({"--orphans", "kill", "--grace", ".1", "-c", alive_or_dead, "--", "helper", "headless", "pid", "fifo"})
            .run();
    CHECK(has_line(outcome.err, "dead"));
}

TEST_CASE("what a server of a setup starts while the command runs is none of the command's") {
    // The worker's parent has ended when the command does.
    constexpr const char* server = "{ read x <fifo; helper orphan pid; exec helper pause; } >/dev/null 2>&1 &";
    constexpr const char* ask = "echo go >fifo; until test -e pid; do sleep .01; done; ";
    make_fifo(work("fifo"));
    const auto killing = Run({"--orphans", "kill", "--grace", ".1", "-s", server, "-c", alive_or_dead, "--", "sh", "-c",
                              ask + std::string("exit 3")})
                             .run();
    CHECK(killing.status == 3);
    CHECK(has_line(killing.err, "alive"));
    fs::remove(work("pid"));
    auto stopped = Run({"--grace", ".1", "-s", server, "-c", alive_or_dead, "--", "sh", "-c",
                        ask + std::string("exec helper pause")})
                       .start();
    stopped.wait_for_line("READY");
    stopped.signal(SIGTERM);
    const auto outcome = stopped.finish();
    CHECK(outcome.signal == SIGTERM);
    CHECK(has_line(outcome.err, "alive"));
}

} // namespace
} // namespace finally_run::e2e
