// --timeout, --signal and --grace.
#include "harness.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

// Blocked from the start, the signal waits for the helper to wait for it.
std::function<void()> blocking(int signal) {
    return [signal] {
        sigset_t set;
        ::sigemptyset(&set);
        ::sigaddset(&set, signal);
        ::sigprocmask(SIG_BLOCK, &set, nullptr);
    };
}

TEST_CASE("a command that takes too long is stopped and the status is 124") {
    for (const char* limit : {".05", "50ms", "0.05s", "0.001m"}) {
        CAPTURE(std::string(limit));
        auto process = Run({"--timeout", limit, "-c", "echo cleaned", "--", "helper", "pause"}).start();
        const auto outcome = process.finish();
        CHECK(outcome.status == 124);
        CHECK(outcome.signal == 0);
        CHECK(has_line(outcome.err, "cleaned"));
    }
}

TEST_CASE("a command that ends in time is left alone") {
    CHECK(Run({"--timeout", "60", "--", "helper", "exit", "3"}).run().status == 3);
    CHECK(Run({"--timeout", "999999999999999999d", "--", "helper", "exit", "3"}).run().status == 3);
}

TEST_CASE("a time limit of 0 is none") {
    auto process = Run({"--timeout", "0", "--", "helper", "outlive", "USR1", "50"}).start();
    process.wait_for_line("READY");
    process.signal(SIGUSR1);
    CHECK(process.finish().status == 7);
}

TEST_CASE("the status is 124 also when the command takes the signal well") {
    CHECK(Run({"--timeout", ".2", "--", "helper", "exit-on", "TERM", "0"}).run().status == 124);
}

TEST_CASE("the time limit sends the signal that was asked for") {
    for (const char* name : {"USR1", "SIGUSR1", "usr1", "10"}) {
        CAPTURE(std::string(name));
        const auto outcome = Run({"--timeout", ".1", "--signal", name, "--", "helper", "print-signals", "USR1"})
                                 .before_exec(blocking(SIGUSR1))
                                 .run();
        CHECK(outcome.status == 124);
        CHECK(has_line(outcome.out, "got USR1"));
        CHECK(count(outcome.out, "got TERM") == 0);
    }
}

TEST_CASE("a command that outlives its time limit is killed after the grace, whatever the signal was") {
    for (const char* name : {"TERM", "INT"}) {
        CAPTURE(std::string(name));
        const auto outcome = Run({"--timeout", ".1", "--grace", ".1", "--signal", name, "-c", "echo cleaned", "--",
                                  "helper", "ignore", "TERM", "INT"})
                                 .run();
        CHECK(outcome.status == 124);
        CHECK(has_line(outcome.err, "cleaned"));
    }
}

TEST_CASE("with --preserve-status the status after a time limit is the command's own") {
    for (const int code : {3, 0}) {
        Run run({"--preserve-status", "-t", ".1", "--", "helper", "exit-on", "TERM", std::to_string(code)});
        CHECK(run.before_exec(blocking(SIGTERM)).run().status == code);
    }
    // Of a signal it does not die itself.
    const auto signalled = Run({"--preserve-status", "-t", ".1", "-c",
                                "echo $FINALLY_RUN_RESULT $FINALLY_RUN_EXIT_CODE", "--", "helper", "pause"})
                               .run();
    CHECK(signalled.status == 128 + SIGTERM);
    CHECK(signalled.signal == 0);
    CHECK(has_line(signalled.err, "timeout 143"));
    const auto killed = Run({"--preserve-status", "-t", ".1", "-k", ".1", "--", "helper", "pause"})
                            .before_exec([] { ::signal(SIGTERM, SIG_IGN); })
                            .run();
    CHECK(killed.status == 128 + SIGKILL);
    CHECK(killed.signal == 0);
}

TEST_CASE("without a time limit that strikes --preserve-status changes nothing") {
    for (const char* limit : {"0", "60", "1h30m"}) {
        CAPTURE(std::string(limit));
        CHECK(Run({"--preserve-status", "-t", limit, "--", "helper", "exit", "2"}).run().status == 2);
        CHECK(Run({"--preserve-status", "-t", limit, "--", "no-such-program"}).run().status == 127);
    }
    CHECK(Run({"--preserve-status", "-t", "1", "--signal", "0", "--", "true"}).run().status == 125);
    CHECK(Run({"--preserve-status", "-t", "42D", "--", "true"}).run().status == 125);
}

TEST_CASE("a stopped command is ended by its time limit") {
    CHECK(Run({"--timeout", ".2", "--grace", "0", "--", "helper", "stop-self"}).run().status == 124);
}

TEST_CASE("the time limit is said in one line") {
    const auto outcome = Run({"--timeout", ".05", "--", "helper", "pause"}).run();
    const auto said = lines(outcome.err);
    REQUIRE(said.size() == 1);
    CHECK(said[0].rfind("finally-run: ", 0) == 0);
}

TEST_CASE("the time limit is the command's, not that of setups and cleanups") {
    const auto outcome =
        Run({"--timeout", ".2", "-s", "sleep .4", "-c", "sleep .4; echo cleaned", "--", "echo", "ran"}).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.out == "ran\n");
    CHECK(has_line(outcome.err, "cleaned"));
}

TEST_CASE("the time limit takes the command's session-mates along") {
    // Suspended, finally-run passes over the time limit until they are there.
    auto process =
        Run({"--timeout", ".1", "--grace", ".1", "-c", "kill -0 $(cat pid) 2>/dev/null && echo alive || echo dead",
             "--", "sh", "-c", "kill -STOP $PPID; exec helper grandchild pid TERM"})
            .start();
    process.wait_for_line("READY");
    process.signal(SIGCONT);
    const auto outcome = process.finish();
    CHECK(fs::exists(work("pid")));
    CHECK(outcome.status == 124);
    CHECK(has_line(outcome.err, "dead"));
}

} // namespace
} // namespace finally_run::e2e
