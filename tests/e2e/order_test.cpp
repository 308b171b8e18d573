// What runs, and in which order.
#include "harness.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

TEST_CASE("setups run from left to right and cleanups the other way round, around the command") {
    const auto outcome = Run({"-s", "echo up 1", "-c", "echo down 1", "-s", "echo up 2", "-c", "echo down 2", "-c",
                              "echo down 3", "--", "sh", "-c", "echo command >&2"})
                             .run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err == "up 1\nup 2\ncommand\ndown 3\ndown 2\ndown 1\n");
}

TEST_CASE("stdout carries the command's output alone") {
    const auto outcome = Run({"-s", "echo setup", "-c", "echo cleanup", "--", "echo", "command"}).run();
    CHECK(outcome.out == "command\n");
    CHECK(outcome.err == "setup\ncleanup\n");
}

TEST_CASE("the first example of the README works") {
    const auto outcome = Run({"--lock", "demo", "--setup", "echo up", "--cleanup", "echo down", "--temp-dir", "WORK",
                              "--", "sh", "-c", "echo working in $WORK; echo $WORK >where; exit 3"})
                             .run();
    CHECK(outcome.status == 3);
    CHECK(outcome.err == "up\ndown\n");
    const auto where = lines(read_file(work("where"))).at(0);
    CHECK(outcome.out == "working in " + where + "\n");
    CHECK_FALSE(fs::exists(where));
}

TEST_CASE("a failed setup ends the run: what is left of it is cleaned up and what is right of it never happens") {
    const auto outcome = Run({"-c", "echo left", "-s", "exit 5", "-c", "echo right", "-s", "echo later", "--temp-dir",
                              "WORK", "--", "echo", "command"})
                             .run();
    CHECK(outcome.status == 5);
    CHECK(outcome.out.empty());
    CHECK(has_line(outcome.err, "left"));
    CHECK_FALSE(has_line(outcome.err, "right"));
    CHECK_FALSE(has_line(outcome.err, "later"));
    CHECK(outcome.err.find("exit 5") != std::string::npos);
    CHECK(fs::is_empty(case_dir() / "tmp"));
}

TEST_CASE("a setup that does not exist gives 127 and one that is killed gives 128 and its signal") {
    CHECK(Run({"-s", "no-such-program-anywhere", "--", "true"}).run().status == 127);
    CHECK(Run({"-s", "no-such-program-anywhere | cat; exit 127", "--", "true"}).run().status == 127);
    CHECK(Run({"-s", "helper die-of KILL", "--", "true"}).run().status == 137);
}

TEST_CASE("on-success and on-failure run for their outcome alone, on the same stack") {
    const std::vector<std::string> steps{"-c",           "echo always 1", "--on-success", "echo well",
                                         "--on-failure", "echo badly",    "-c",           "echo always 2"};
    const auto with = [&](const std::vector<std::string>& rest) {
        auto words = steps;
        words.insert(words.end(), rest.begin(), rest.end());
        return Run(words).run().err;
    };
    CHECK(with({"--", "true"}) == "always 2\nwell\nalways 1\n");
    CHECK(with({"--", "false"}) == "always 2\nbadly\nalways 1\n");
    CHECK(with({"--", "helper", "die-of", "TERM"}) == "always 2\nbadly\nalways 1\n");
    CHECK(has_line(with({"--timeout", ".05", "--", "helper", "pause"}), "badly"));
    CHECK(has_line(with({"--", "no-such-program-anywhere"}), "badly"));
    const auto after_setup = with({"-s", "exit 9", "--", "true"});
    CHECK(has_line(after_setup, "badly"));
    CHECK_FALSE(has_line(after_setup, "well"));
}

TEST_CASE("on-failure runs when the run is stopped") {
    auto process =
        Run({"--on-success", "echo well", "--on-failure", "echo badly", "--", "helper", "exit-on", "TERM", "0"})
            .start();
    process.wait_for_line("READY");
    process.signal(SIGTERM);
    const auto outcome = process.finish();
    CHECK(has_line(outcome.err, "badly"));
    CHECK_FALSE(has_line(outcome.err, "well"));
}

TEST_CASE("nothing runs, cleanups included, if finally-run was stopped before the first step" *
          doctest::skip(sanitized)) {
    const auto outcome = Run::of({"strace", "-o", "/dev/null", "-e", "trace=prctl", "-e", "inject=prctl:signal=TERM",
                                  "finally-run", "-c", "echo cleaned", "--", "echo", "ran"})
                             .run();
    CHECK(outcome.signal == SIGTERM);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.empty());
}

TEST_CASE("if no process can be had before the first step, one line says so and nothing is cleaned up" *
          doctest::skip(sanitized)) {
    const auto outcome = Run::of({"strace", "-o", "/dev/null", "-e", "trace=clone", "-e", "inject=clone:error=EAGAIN",
                                  "finally-run", "-c", "echo cleaned", "--", "echo", "ran"})
                             .run();
    CHECK(outcome.status == 125);
    CHECK(outcome.err == "finally-run: cannot start the guardian: Resource temporarily unavailable\n");
}

TEST_CASE("cleanups run after every signal that means stop") {
    for (const auto& [name, number] :
         {std::pair{"TERM", SIGTERM}, {"INT", SIGINT}, {"HUP", SIGHUP}, {"QUIT", SIGQUIT}}) {
        const std::string sent = name;
        CAPTURE(sent);
        auto process = Run({"-c", "echo cleaned", "--", "helper", "pause"}).start();
        process.wait_for_line("READY");
        process.signal(number);
        const auto outcome = process.finish();
        CHECK(outcome.signal == number);
        CHECK(has_line(outcome.err, "cleaned"));
    }
}

TEST_CASE("a signal during a setup stops it, the command never runs and the cleanups to its left do") {
    for (const auto& [name, number] : {std::pair{"TERM", SIGTERM}, {"INT", SIGINT}}) {
        const std::string sent = name;
        CAPTURE(sent);
        auto process =
            Run({"-c", "echo left", "-s", "helper pause", "-c", "echo right", "--", "echo", "command"}).start();
        process.wait_for_err("READY");
        process.signal(number);
        const auto outcome = process.finish();
        CHECK(outcome.signal == number);
        CHECK(outcome.out.empty());
        CHECK(has_line(outcome.err, "left"));
        CHECK_FALSE(has_line(outcome.err, "right"));
    }
}

TEST_CASE("a signal during a setup that survives it still keeps the command from running") {
    auto process = Run({"-c", "echo left", "-s", "helper exit-on TERM 0", "--", "echo", "command"}).start();
    process.wait_for_err("READY");
    process.signal(SIGTERM);
    const auto outcome = process.finish();
    CHECK(outcome.status == 128 + SIGTERM);
    CHECK(outcome.out.empty());
    CHECK(has_line(outcome.err, "left"));
}

TEST_CASE("a setup can hand files to the command and the cleanups") {
    const auto outcome = Run({"-s", "echo content >file", "-c", "cat file", "--", "cat", "file"}).run();
    CHECK(outcome.out == "content\n");
    CHECK(outcome.err == "content\n");
}

TEST_CASE("a thousand cleanups all run, last first") {
    std::vector<std::string> words;
    std::string expected;
    for (int i = 0; i < 1000; ++i) {
        words.insert(words.end(), {"-c", "echo " + std::to_string(i)});
        expected.insert(0, std::to_string(i) + "\n");
    }
    words.insert(words.end(), {"--", "true"});
    const auto outcome = Run(words).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err == expected);
}

TEST_CASE("a thousand failing cleanups are all tried") {
    std::vector<std::string> words{"--strict"};
    for (int i = 0; i < 1000; ++i)
        words.insert(words.end(), {"-c", "sh -c 'echo x >>ran; exit 1'"});
    words.insert(words.end(), {"--", "true"});
    CHECK(Run(words).run().status == 120);
    CHECK(lines(read_file(work("ran"))).size() == 1000);
}

} // namespace
} // namespace finally_run::e2e
