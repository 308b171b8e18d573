// --rewrite: what the command gets of the signals that are sent to finally-run.
#include "harness.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

using Words = std::vector<std::string>;

pid_t ready(Process& process) { return static_cast<pid_t>(number_after(process.wait_for_line("READY"), "READY ")); }

// `sent` one after the other to a command that prints what it gets, and ends on the last of them.
void check_passed_on(const Words& rewrites, const std::vector<int>& sent, const Words& got) {
    Words words{"--grace", "0"};
    for (const std::string& rewrite : rewrites) {
        CAPTURE(rewrite);
        words.insert(words.end(), {"--rewrite", rewrite});
    }
    words.insert(words.end(), {"--", "helper", "print-signals", got.back()});
    auto process = Run(words).start();
    ready(process);
    std::string expected;
    for (std::size_t i = 0; i < sent.size(); ++i) {
        process.signal(sent.at(i));
        if (i + 1 < sent.size()) {
            CHECK(process.wait_for_line("got ") == "got " + got.at(i));
        }
        expected += "got " + got.at(i) + "\n";
    }
    const auto outcome = process.finish();
    CHECK(outcome.out.substr(outcome.out.find('\n') + 1) == expected);
}

TEST_CASE("signals are passed on as they came, one as another, two crosswise, and the lowest and the highest") {
    check_passed_on({}, {SIGTERM, SIGQUIT, SIGINT, SIGUSR1}, {"TERM", "QUIT", "INT", "USR1"});
    check_passed_on({"TERM:INT"}, {SIGTERM, SIGQUIT, SIGINT, SIGUSR1}, {"INT", "QUIT", "INT", "USR1"});
    check_passed_on({"TERM:INT", "INT:TERM", "QUIT:QUIT"}, {SIGTERM, SIGQUIT, SIGINT, SIGUSR1},
                    {"INT", "QUIT", "TERM", "USR1"});
    check_passed_on({"1:31,31:1"}, {SIGHUP, SIGSYS, SIGUSR1}, {"SYS", "HUP", "USR1"});
}

TEST_CASE("the signals of job control can be rewritten, and then stop nobody") {
    for (const int number : {SIGTSTP, SIGTTIN, SIGTTOU}) {
        CAPTURE(number);
        auto process =
            Run({"--rewrite", "TSTP:USR1,TTIN:USR1,TTOU:USR1", "--", "helper", "exit-on", "USR1", "5"}).start();
        ready(process);
        process.signal(number);
        CHECK(process.finish().status == 5);
    }
}

TEST_CASE("a signal that is rewritten to 0 does not reach the command, and stops nothing") {
    auto process = Run({"--rewrite", "TERM:0", "-s", "kill -TERM $PPID", "-c", "echo cleaned", "--", "helper",
                        "print-signals", "INT"})
                       .start();
    ready(process); // the setup's TERM has not kept the command from its start
    process.signal(SIGTERM);
    process.signal(SIGTERM);
    process.signal(SIGINT);
    const auto outcome = process.finish();
    CHECK(outcome.status == 0);
    CHECK(count(outcome.out, "got ") == 1);
    CHECK(has_line(outcome.out, "got INT"));
    CHECK(has_line(outcome.err, "cleaned"));
}

TEST_CASE("TERM that is passed on as QUIT stops a command that handles QUIT, and kills one that does not end") {
    auto gentle =
        Run({"--rewrite", "TERM:QUIT", "-c", "echo $FINALLY_RUN_RESULT", "--", "helper", "exit-on", "QUIT", "3"})
            .start();
    ready(gentle);
    gentle.signal(SIGTERM);
    const auto ended = gentle.finish();
    CHECK(ended.status == 3);
    CHECK(has_line(ended.err, "stopped"));

    auto stubborn = Run({"--rewrite", "TERM:QUIT", "--grace", ".1", "--", "helper", "ignore", "QUIT"}).start();
    const pid_t command = ready(stubborn);
    stubborn.signal(SIGTERM);
    CHECK(stubborn.finish().status == 128 + SIGKILL);
    CHECK_FALSE(alive(command));
}

TEST_CASE("a time limit is no received signal: what it sends is not rewritten") {
    const auto outcome =
        Run({"--rewrite", "TERM:0", "-t", ".2", "--grace", "0", "--", "helper", "exit-on", "TERM", "3"}).run();
    CHECK(outcome.status == 124);
}

TEST_CASE("a wait for orphans ends on what is passed on as a stop, and on nothing that is dropped") {
    auto process = Run({"--rewrite", "TERM:0,USR1:TERM", "--orphans", "wait", "-c", "echo $FINALLY_RUN_RESULT", "--",
                        "sh", "-c", "helper pause & exit 0"})
                       .start();
    process.wait_for_line("READY");
    process.signal(SIGTERM);
    process.signal(SIGUSR1);
    CHECK(has_line(process.finish().err, "stopped"));
}

} // namespace
} // namespace finally_run::e2e
