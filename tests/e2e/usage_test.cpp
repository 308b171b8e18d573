// Wrong usage, defaults from the environment, and how much is said.
#include "harness.hpp"

#include <csignal>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace finally_run::e2e {
namespace {

void check_wrong(const std::vector<std::string>& words, const std::string& named) {
    CAPTURE(named);
    const auto outcome = Run(words).run();
    CHECK(outcome.status == 125);
    CHECK(outcome.out.empty());
    CHECK(lines(outcome.err).size() == 1);
    CHECK(outcome.err.rfind("finally-run: ", 0) == 0);
    CHECK(outcome.err.find(named) != std::string::npos);
    CHECK(fs::is_empty(case_dir() / "state"));
    CHECK(fs::is_empty(case_dir() / "tmp"));
    CHECK(fs::is_empty(work()));
}

std::vector<std::string> before_a_run(std::vector<std::string> words) {
    const std::vector<std::string> run{"--lock", "l",          "--temp-dir", "T",     "-s", "touch up",
                                       "-c",     "touch down", "--",         "touch", "ran"};
    words.insert(words.end(), run.begin(), run.end());
    return words;
}

TEST_CASE("a wrong option or value gives 125 and one line that names it, and nothing has happened") {
    check_wrong(before_a_run({"--no-such-option"}), "--no-such-option");
    check_wrong(before_a_run({"-Z"}), "-Z");
    for (const char* value : {"abc", "-1", "1e3", "", " 1", "1 ", "1x", "inf", "0x10", ".", "1.2.3", "+1", "s"}) {
        for (const char* option : {"--timeout", "--grace", "--cleanup-timeout", "--wait"}) {
            CAPTURE(std::string(value));
            check_wrong(before_a_run({std::string(option) + "=" + value}), option);
        }
    }
    check_wrong(before_a_run({"--signal", "NOPE"}), "NOPE");
    check_wrong(before_a_run({"--signal", "0"}), "--signal");
    check_wrong(before_a_run({"--orphans", "sell"}), "sell");
    check_wrong(before_a_run({"--stop-with-caller", "maybe"}), "maybe");
    check_wrong(before_a_run({"--ci", "jenkins"}), "jenkins");
    check_wrong(before_a_run({"--cleanup-retries", "many"}), "many");
    check_wrong(before_a_run({"--cleanup-retries", "-1"}), "-1");
    check_wrong(before_a_run({"-n", "-E", "256"}), "256");
    check_wrong(before_a_run({"-n", "-E", "-1"}), "-1");
    check_wrong(before_a_run({"--temp-dir", "1BAD"}), "1BAD");
    check_wrong(before_a_run({"--temp-dir", "A=B"}), "A=B");
    check_wrong(before_a_run({"--temp-dir", "FINALLY_RUN_RESULT"}), "FINALLY_RUN_RESULT");
    check_wrong(before_a_run({"--strict=no-such"}), "--strict");
}

TEST_CASE("an option without its value gives 125") {
    for (const char* option : {"--cleanup", "-c", "--lock", "--timeout", "--report", "--keep-env", "--defer"})
        check_wrong({option}, option);
}

TEST_CASE("no command gives 125") {
    check_wrong({}, "");
    check_wrong({"--"}, "");
    check_wrong({"-c", "touch down"}, "");
    check_wrong({"--lock", "l", "--"}, "");
}

TEST_CASE("options that contradict each other give 125") {
    check_wrong(before_a_run({"--wait", "3", "--no-wait"}), "--no-wait");
    check_wrong(before_a_run({"--quiet", "--verbose"}), "--quiet");
}

TEST_CASE("a mistyped option is told its nearest neighbour") {
    check_wrong(before_a_run({"--clenup", "x"}), "--cleanup");
    check_wrong(before_a_run({"--time-out", "3"}), "--timeout");
}

TEST_CASE("variables to keep are names or patterns, and no values") {
    check_wrong(before_a_run({"--keep-env", "A=secret"}), "--keep-env: A=secret");
    check_wrong(before_a_run({"--keep-env", ""}), "--keep-env");
}

TEST_CASE("what is asked for in place of a run takes no step, lock, command or option of a run") {
    check_wrong(before_a_run({"--status"}), "--status");
    check_wrong(before_a_run({"--recover"}), "--recover");
    check_wrong(before_a_run({"--forget"}), "--forget");
    check_wrong(before_a_run({"--defer", "touch down"}), "--defer");
    check_wrong({"--status", "--", "touch", "ran"}, "touch");
    check_wrong({"--defer", "touch", "down"}, "down");
    check_wrong({"--status", "--timeout", "3"}, "--timeout");
    check_wrong({"--lock", "l", "--recover"}, "--lock");
    check_wrong({"--defer", "touch down", "--state-dir", "s"}, "--state-dir");
}

TEST_CASE("only one thing is asked for at a time") {
    check_wrong({"--status", "--recover"}, "--recover: contradicts --status");
    check_wrong({"--forget", "x", "--defer", "touch down"}, "--defer: contradicts --forget");
    check_wrong({"--defer", "touch down", "--defer", "touch up"}, "--defer");
    check_wrong(before_a_run({"--json"}), "--status");
}

TEST_CASE("a run to recover or to forget has the form of an id") {
    check_wrong({"--forget"}, "RUN");
    for (const char* run : {"", "..", "a/b", "20261122T154203_5f3a9c2e", "a b", "\xc3\xa4"})
        for (const char* option : {"--recover", "--forget"})
            check_wrong({option, run}, option);
}

TEST_CASE("foreign bytes in a wrong option are made visible") {
    const auto outcome = Run({"--timeout", "\x1b[2J\xff\n", "--", "true"}).run();
    CHECK(outcome.status == 125);
    CHECK(lines(outcome.err).size() == 1);
    CHECK(outcome.err.find('\x1b') == std::string::npos);
}

TEST_CASE("a value may be joined to its option or follow it") {
    CHECK(Run({"--timeout=.05", "--", "helper", "pause"}).run().status == 124);
    CHECK(Run({"--timeout", ".05", "--", "helper", "pause"}).run().status == 124);
    CHECK(Run({"-t.05", "--", "helper", "pause"}).run().status == 124);
    CHECK(Run({"-t", ".05", "helper", "pause"}).run().status == 124);
    CHECK(Run({"-qv", "--", "true"}).run().status == 125);
}

TEST_CASE("each option has a default in the environment and the command line wins") {
    CHECK(Run({"--", "helper", "pause"}).env("FINALLY_RUN_TIMEOUT", ".05").run().status == 124);
    CHECK(Run({"-t", "30", "--", "helper", "exit", "3"}).env("FINALLY_RUN_TIMEOUT", ".0001").run().status == 3);
    CHECK(Run({"-c", "exit 1", "--", "true"}).env("FINALLY_RUN_STRICT", "1").run().status == 120);
    CHECK(
        Run({"-c", "helper pause", "--strict", "--", "true"}).env("FINALLY_RUN_CLEANUP_TIMEOUT", ".05").run().status ==
        120);
    const auto outcome = Run({"--", "helper", "print-signals", "USR1"})
                             .env("FINALLY_RUN_TIMEOUT", ".2")
                             .env("FINALLY_RUN_SIGNAL", "USR1")
                             .run();
    CHECK(has_line(outcome.out, "got USR1"));
}

TEST_CASE("a wrong default in the environment gives 125 and names the variable") {
    const auto outcome = Run({"--", "touch", "ran"}).env("FINALLY_RUN_GRACE", "soon").run();
    CHECK(outcome.status == 125);
    CHECK(lines(outcome.err).size() == 1);
    CHECK(outcome.err.find("FINALLY_RUN_GRACE") != std::string::npos);
    CHECK(fs::is_empty(work()));
}

TEST_CASE("steps and locks have no default in the environment") {
    const auto outcome = Run({"--", "true"})
                             .env("FINALLY_RUN_CLEANUP", "touch down")
                             .env("FINALLY_RUN_SETUP", "touch up")
                             .env("FINALLY_RUN_LOCK", "l")
                             .run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err.empty());
    CHECK(fs::is_empty(work()));
    CHECK_FALSE(fs::exists(state_dir() / "l"));
}

TEST_CASE("a cleanup's own variables do not become options of a run in that cleanup") {
    const auto outcome = Run({"--strict", "-c", "finally-run -- echo inner", "--", "helper", "die-of", "USR2"}).run();
    CHECK(has_line(outcome.err, "inner"));
    const auto in_failure = Run({"-c", "finally-run -c 'echo $FINALLY_RUN_RESULT $FINALLY_RUN_EXIT_CODE' -- true", "--",
                                 "helper", "exit", "3"})
                                .run();
    CHECK(has_line(in_failure.err, "success 0"));
}

TEST_CASE("help and version go to stdout with status 0") {
    const auto help = Run({"--help"}).run();
    CHECK(help.status == 0);
    CHECK(help.err.empty());
    CHECK(count(help.out, "--cleanup-timeout") >= 1);
    for (const auto& line : lines(help.out))
        CHECK(line.size() <= 100);
    const auto version = Run({"--version"}).run();
    CHECK(version.status == 0);
    CHECK(version.out.rfind("finally-run ", 0) == 0);
    CHECK(lines(version.out).size() == 1);
}

TEST_CASE("what only prints dies of a signal like any program, also while nobody reads") {
    for (const char* what : {"--help", "--version", "--status"}) {
        for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
            CAPTURE(std::string(what));
            CAPTURE(number);
            // Its stdout is full, so it sleeps in write(2) until a signal comes.
            int ends[2];
            REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
            while (::write(ends[1], "x", 1) == 1) {
            }
            REQUIRE(::fcntl(ends[1], F_SETFL, 0) == 0); // of the open file: for finally-run too
            auto process = Run({what}).fd(STDOUT_FILENO, ends[1]).start();
            const auto call = "/proc/" + std::to_string(process.pid()) + "/syscall";
            wait_until("finally-run sleeps in write(2) to stdout",
                       [&] { return read_file(call).rfind(std::to_string(SYS_write) + " 0x1 ", 0) == 0; });
            process.signal(number);
            CHECK(process.finish().signal == number);
            ::close(ends[0]);
            ::close(ends[1]);
        }
    }
}

TEST_CASE("wrong usage that nobody can be told of gives 125 all the same") {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    ::close(ends[0]);
    const auto outcome = Run({"--bogus"}).fd(STDERR_FILENO, ends[1]).run();
    CHECK(outcome.status == 125);
    CHECK(outcome.signal == 0);
    ::close(ends[1]);
}

TEST_CASE("help that cannot be written is a failure") {
    const auto outcome = Run::script("finally-run --help >/dev/full").run();
    CHECK(outcome.status == 125);
    CHECK(lines(outcome.err).size() == 1);
    CHECK(outcome.err.rfind("finally-run: ", 0) == 0);
}

TEST_CASE("verbose says more and quiet says less") {
    const std::vector<std::string> rest{"-s", "true", "-c", "true", "--", "true"};
    const auto with = [&](const std::string& option) {
        auto words = rest;
        words.insert(words.begin(), option);
        return Run(words).run().err;
    };
    CHECK_FALSE(with("--verbose").empty());
    CHECK(with("--quiet").empty());
    for (const auto& line : lines(with("-v")))
        CHECK(line.rfind("finally-run: ", 0) == 0);
}

TEST_CASE("nothing is coloured where stderr is no terminal") {
    const auto outcome = Run({"-v", "-c", "exit 1", "--", "true"}).run();
    CHECK_FALSE(outcome.err.empty());
    CHECK(outcome.err.find('\x1b') == std::string::npos);
}

TEST_CASE("escape sequences in a command that cannot be started and in a failed cleanup are made visible") {
    const auto outcome = Run({"-v", "-c", "exit 1 # \x1b]0;evil\x07", "--", "no-such-\x1b[31m\nprogram"}).run();
    CHECK(outcome.status == 127);
    CHECK(outcome.err.find("evil") != std::string::npos);
    CHECK(outcome.err.find("program") != std::string::npos);
    CHECK(outcome.err.find('\x1b') == std::string::npos);
    CHECK(outcome.err.find('\x07') == std::string::npos);
    for (const auto& line : lines(outcome.err))
        CHECK(line.rfind("finally-run: ", 0) == 0);
}

} // namespace
} // namespace finally_run::e2e
