// What recovery does with a run that was killed in the middle of a step, and how a run is dropped.
#include "guard.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

TEST_CASE("a command that is still alive is stopped before its run is recovered, with its children") {
    for (const char* lock : {"l", ""}) {
        std::vector<std::string> words{"--grace", ".1", "-c", witness, "--", "helper", "grandchild", "pid", "TERM"};
        if (*lock != '\0')
            words.insert(words.begin(), {"-l", lock});
        const auto left = leave_alive(Run(words));
        CHECK(alive(left.ready));
        CHECK(Run({"--recover"}).run().status == 0);
        CHECK(has_line(log_text(), "cleaned by recovery after lost"));
        CHECK_FALSE(has_line(log_text(), "alive"));
        CHECK_FALSE(alive(left.ready));
        fs::remove(work("pid"));
        fs::remove(work("log"));
    }
}

TEST_CASE("a recovery whose command is alive sends what was asked for and keeps its grace") {
    const auto left = leave_alive(
        Run({"--grace", "30", "--signal", "USR1", "-c", "echo cleaned >>log", "--", "sh", "-c",
             "exec 2>/dev/null; trap 'echo USR1 >>log; exit' USR1; trap 'echo TERM >>log' TERM; echo READY $$; "
             "while :; do sleep .01; done"}));
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "USR1\ncleaned\n");
}

TEST_CASE("of a run that was killed in its cleanups those are run that had not finished, after the same result") {
    make_fifo(work("fifo"));
    auto process = Run({"--on-success", "echo success >>log", "--on-failure", "echo failure >>log", "-c", waiting, "-c",
                        "echo first >>log", "--", "true"})
                       .start();
    wait_for_log("begun");
    kill_both(process);
    release(work("fifo"));
    wait_for_log("ended");
    wait_until("the cleanup is gone", [] { return leftovers().empty(); });
    auto recovery = Run({"--recover"}).start();
    release(work("fifo"));
    CHECK(recovery.finish().status == 0);
    CHECK(log_text() == "first\nbegun\nended\nbegun\nended\nsuccess\n");
}

TEST_CASE("of a run that was killed in a setup the cleanups to its left are recovered, and nothing more begins") {
    auto process =
        Run({"-c", "echo left >>log", "-s", "echo READY; helper pause", "-c", "echo right >>log", "--", "touch", "ran"})
            .start();
    process.wait_for_err("READY");
    kill_both(process);
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "left\n");
    CHECK_FALSE(fs::exists(work("ran")));
    CHECK(leftovers().empty());
}

TEST_CASE("forget drops a killed run and says what never runs") {
    const auto first = leave_unfinished(Run({"-c", "echo cleaned >>log", "-r", "tree", "--", "helper", "pause"}));
    const auto second = leave_unfinished(Run({"--", "helper", "pause"}));
    const auto outcome = Run({"--forget", first.id}).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err == "finally-run: forgotten: remove: tree\nfinally-run: forgotten: cleanup: echo cleaned >>log\n");
    CHECK(log_text().empty());
    CHECK(only_run_file().stem() == second.id);
    CHECK(Run({"--forget", first.id}).run().status == 125);
}

TEST_CASE("forget leaves a killed run alone whose command still runs") {
    const auto left = leave_alive(Run({"-c", "echo cleaned >>log", "--", "helper", "pause"}));
    const auto refused = Run({"--forget", left.id}).run();
    CHECK(refused.status == 125);
    CHECK(refused.err == "finally-run: run " + left.id + " cannot be forgotten: its command still runs, pid " +
                             std::to_string(left.ready) + ": finally-run --recover " + left.id +
                             " ends it and cleans up\n");
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "cleaned\n");
}

TEST_CASE("forget leaves a live run alone") {
    auto process = Run({"-c", "echo cleaned >>log", "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    const auto outcome = Run({"--forget", only_run_file().stem()}).run();
    CHECK(outcome.status == 125);
    CHECK(outcome.err.find("is alive") != std::string::npos);
    CHECK(outcome.err.find(" --stop ") != std::string::npos);
    CHECK(fs::exists(only_run_file()));
    process.signal(SIGTERM);
    process.finish();
    CHECK(log_text() == "cleaned\n");
}

} // namespace
} // namespace finally_run::e2e
