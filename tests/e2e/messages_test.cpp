// What is said when something goes otherwise than hoped for, and what helps.
#include "pty.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

TEST_CASE("a retry says which try it is and when, and that it succeeded at last") {
    constexpr const char* third_time = "echo x >>tries; test $(wc -l <tries) -ge 3";
    const auto enough = Run({"--cleanup-retries", "7", "-c", third_time, "--", "true"}).run();
    const std::string step = std::string("finally-run: cleanup: ") + third_time + ": ";
    CHECK(lines(enough.err) == std::vector<std::string>{step + "exit status 1, try 2 of 8 in 100ms",
                                                        step + "exit status 1, try 3 of 8 in 200ms",
                                                        step + "succeeded at try 3 of 8"});
    fs::remove(work("tries"));
    CHECK(Run({"-q", "--cleanup-retries", "7", "-c", third_time, "--", "true"}).run().err.empty());
    CHECK(lines(Run({"-q", "--cleanup-retries", "1", "-c", "exit 4", "--", "true"}).run().err).size() >= 1);
}

TEST_CASE("the second Ctrl+C on a command that ignores it says what is running and what ends it") {
    Terminal terminal{Run({"--grace", "5", "--", "sh", "-c",
                           "trap 'echo heard; trap \"echo again; trap : INT\" INT' INT; echo READY $$; "
                           "while :; do sleep .05; done"})};
    const pid_t command = ready(terminal);
    terminal.type(ctrl_c);
    CHECK(terminal.wait_for("heard\n").find("still running") == std::string::npos);
    // The next one would count together with one that finally-run has not taken yet.
    wait_until("the interrupt is taken", [&] { return !is_pending(terminal.pid(), SIGINT); });
    terminal.type(ctrl_c);
    const std::string said = terminal.wait_for("within 5.0s\n");
    CHECK_MESSAGE(said.find("finally-run: still running: sh -c trap") != std::string::npos, said);
    CHECK(said.find(": pid " + std::to_string(command) + ", has been sent INT twice; a third Ctrl+C is ") !=
          std::string::npos);
    CHECK(said.find("TERM (kill " + std::to_string(terminal.pid()) + ")") != std::string::npos);
    ::kill(terminal.pid(), SIGTERM);
    CHECK(count(terminal.finish().out, "still running") == 1);
}

TEST_CASE("what is quiet still says a time limit, SIGKILL after the grace period and a failed cleanup") {
    const auto outcome = Run({"-q", "--timeout", ".05", "--grace", ".05", "-c", "exit 4", "--", "helper", "pause"})
                             .before_exec([] { ::signal(SIGTERM, SIG_IGN); }) // which the command inherits
                             .run();
    CHECK(outcome.status == 124);
    CHECK(outcome.err.find("finally-run: time limit: 50ms: sent TERM\n") != std::string::npos);
    CHECK(outcome.err.find("finally-run: grace period: 50ms: over, sent KILL\n") != std::string::npos);
    CHECK(outcome.err.find("finally-run: cleanup: exit 4: exit status 4") != std::string::npos);
}

TEST_CASE("what is quiet says nothing of a lock that it has not had") {
    auto holder = Run({"--lock", "l", "--", "helper", "pause"}).start();
    holder.wait_for_line("READY");
    const auto outcome = Run({"-q", "-n", "--lock", "l", "--", "true"}).run();
    CHECK(outcome.status == 75);
    CHECK(outcome.err.empty());
    CHECK(Run({"-n", "--lock", "l", "--", "true"}).run().err.find("lock: l: held by helper pause (pid ") !=
          std::string::npos);
}

TEST_CASE("a lock with a slash whose directory is missing is told that it is a path") {
    CHECK(Run({"--lock", "feature/x", "--", "true"}).run().err ==
          "finally-run: open: feature/x: No such file or directory; a slash makes a lock's name a path\n");
    CHECK(Run({"--lock", "./no/x", "--", "true"}).run().err ==
          "finally-run: open: ./no/x: No such file or directory\n");
}

TEST_CASE("a command that looks like a line for a shell and is not found gets a hint at sh") {
    CHECK(Run({"--", "echo a | cat"}).run().err ==
          "finally-run: cannot run: echo a | cat: No such file or directory; a line for a shell is run by: "
          "sh -c 'echo a | cat'\n");
    CHECK(Run({"--", "no-such-program"}).run().err ==
          "finally-run: cannot run: no-such-program: No such file or directory\n");
}

TEST_CASE("a command that is a file here and not in PATH gets a hint at its directory") {
    write_file(work("deploy now"), "#!/bin/sh\n", 0755);
    CHECK(Run({"--", "deploy now"}).run().err ==
          "finally-run: cannot run: deploy now: No such file or directory; it is not in PATH, but here: "
          "./'deploy now'\n");
}

TEST_CASE("variables that look like an option's and are none are named once with verbose") {
    const auto run = [](std::vector<std::string> words) {
        words.insert(words.end(), {"--", "true"});
        return Run(words).env("FINALLY_RUN_SETUP", "l").env("FINALLY_RUN_GRACE", "5").env("FINALLY_RUN_ID", "x").run();
    };
    const std::string line =
        "finally-run: FINALLY_RUN_SETUP: is set, and is no option's variable: it changes nothing\n";
    const auto said = run({"-v", "-s", "true", "-c", "true"}).err;
    CHECK_MESSAGE(count(said, line) == 1, said);
    CHECK(count(said, "is no option's variable") == 1);
    CHECK(run({}).err.empty());
}

TEST_CASE("a setup that fails says of the cleanups to its right that they were not registered yet") {
    CHECK(Run({"-c", "true left", "-s", "exit 3", "-c", "echo one", "-r", "two", "--", "true"}).run().err ==
          "finally-run: setup: exit 3: exit status 3\n"
          "finally-run: not registered yet: echo one (and 1 more): only a cleanup to the left of a setup runs if that "
          "fails\n");
    CHECK(Run({"-c", "true", "-s", "exit 3", "--", "true"}).run().err == "finally-run: setup: exit 3: exit status 3\n");
}

} // namespace
} // namespace finally_run::e2e
