// Signals that are sent to finally-run, without a terminal.
#include "harness.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

namespace finally_run::e2e {
namespace {

pid_t pid_when_ready(Process& process) {
    return static_cast<pid_t>(number_after(process.wait_for_line("READY"), "READY "));
}

TEST_CASE("every signal that can be caught reaches the command exactly once") {
    auto process = Run({"--grace", "0", "--", "helper", "print-signals", "RTMIN+30"}).start();
    pid_when_ready(process);
    std::string expected;
    for (int number = 1; number <= SIGRTMAX; ++number) {
        if (number == SIGKILL || number == SIGSTOP || number == SIGCHLD || number == SIGCONT)
            continue;
        if (number == SIGTSTP || number == SIGTTIN || number == SIGTTOU)
            continue;
        if (number > SIGSYS && number < SIGRTMIN)
            continue;
        if (number >= SIGRTMIN + 30)
            continue;
        CAPTURE(number);
        process.signal(number);
        const std::string name =
            number >= SIGRTMIN ? "RTMIN+" + std::to_string(number - SIGRTMIN) : ::sigabbrev_np(number);
        CHECK(process.wait_for_line("got ") == "got " + name);
        expected += "got " + name + "\n";
    }
    process.signal(SIGRTMIN + 30);
    const auto outcome = process.finish();
    CHECK(outcome.out.substr(outcome.out.find('\n') + 1) == expected + "got RTMIN+30\n");
}

TEST_CASE("a real-time signal that was sent three times arrives three times") {
    auto process = Run({"--", "helper", "print-signals", "USR2"}).start();
    pid_when_ready(process);
    for (int i = 0; i < 3; ++i)
        process.signal(SIGRTMIN + 1);
    for (int i = 0; i < 3; ++i)
        process.wait_for_line("got RTMIN+1");
    process.signal(SIGUSR2);
    CHECK(count(process.finish().out, "got RTMIN+1\n") == 3);
}

TEST_CASE("signals go to the whole group of a command") {
    auto process =
        Run({"--", "sh", "-c", "helper exit-on USR1 0 & helper exit-on USR1 0 & trap '' USR1; echo READY; wait"})
            .start();
    for (int i = 0; i < 3; ++i)
        process.wait_for_line("READY");
    process.signal(SIGUSR1);
    CHECK(process.finish().status == 0);
}

TEST_CASE("a signal that comes right at the start stops the run and never gets lost") {
    for (int i = 0; i < tries(30); ++i) {
        auto process = Run({"-c", "echo cleaned", "-s", "echo up", "--", "helper", "pause"}).start();
        const pid_t pid = process.pid();
        wait_until("finally-run has replaced the harness",
                   [&] { return read_file("/proc/" + std::to_string(pid) + "/comm") == "finally-run\n"; });
        process.signal(SIGTERM);
        const auto outcome = process.finish();
        CHECK(outcome.status == 128 + SIGTERM);
        CHECK(has_line(outcome.err, "up") <= has_line(outcome.err, "cleaned"));
    }
}

TEST_CASE("a hang-up that was ignored at the start stays ignored") {
    auto process =
        Run({"--", "helper", "print-signals", "USR1"}).before_exec([] { ::signal(SIGHUP, SIG_IGN); }).start();
    pid_when_ready(process);
    process.signal(SIGHUP);
    process.signal(SIGUSR1);
    const auto outcome = process.finish();
    CHECK(outcome.status == 0);
    CHECK(count(outcome.out, "got HUP") == 0);
}

TEST_CASE("nohup works") {
    auto process =
        Run::of({"nohup", "finally-run", "-c", "echo cleaned", "--", "helper", "outlive", "USR1", "1"}).start();
    pid_when_ready(process);
    process.signal(SIGHUP);
    process.signal(SIGUSR1);
    const auto outcome = process.finish();
    CHECK(outcome.status == 7);
    CHECK(has_line(outcome.err, "cleaned"));
}

TEST_CASE("TERM and HUP start the grace period, at whose end the command is killed") {
    for (const int number : {SIGTERM, SIGHUP}) {
        CAPTURE(number);
        auto process = Run({"--grace", ".1", "-c", "echo cleaned", "--", "helper", "ignore", "TERM", "HUP"}).start();
        const pid_t command = pid_when_ready(process);
        process.signal(number);
        const auto outcome = process.finish();
        CHECK(outcome.status >= 128);
        CHECK(has_line(outcome.err, "cleaned"));
        CHECK_FALSE(alive(command));
    }
}

TEST_CASE("INT and QUIT do not start the grace period") {
    for (const auto& [name, number] : {std::pair{"INT", SIGINT}, {"QUIT", SIGQUIT}}) {
        const std::string which = name;
        CAPTURE(which);
        auto process = Run({"--grace", ".05", "--", "helper", "outlive", name, "400"}).start();
        pid_when_ready(process);
        process.signal(number);
        const auto outcome = process.finish();
        CHECK(outcome.status == 7);
        CHECK(has_line(outcome.out, "still here"));
    }
}

TEST_CASE("a grace of 0 never kills") {
    auto process = Run({"--grace", "0", "--", "helper", "outlive", "TERM", "300"}).start();
    pid_when_ready(process);
    process.signal(SIGTERM);
    CHECK(process.finish().status == 7);
}

TEST_CASE("a command that handles the signal within its grace gives its own status") {
    auto process = Run({"--grace", "30", "--", "helper", "exit-on", "TERM", "9"}).start();
    pid_when_ready(process);
    process.signal(SIGTERM);
    CHECK(process.finish().status == 9);
}

TEST_CASE("a stopped command is continued when it is to stop for good") {
    for (const int number : {SIGTERM, SIGHUP, SIGINT}) {
        CAPTURE(number);
        auto process = Run({"--grace", "0", "-c", "echo cleaned", "--", "helper", "stop-self"}).start();
        wait_for_state(pid_when_ready(process), 'T');
        process.signal(number);
        const auto outcome = process.finish();
        CHECK(outcome.signal == number);
        CHECK(has_line(outcome.err, "cleaned"));
    }
}

TEST_CASE("a stopped command does not stop finally-run, and goes on after SIGCONT") {
    auto process = Run({"--", "helper", "stop-self"}).start();
    const pid_t command = pid_when_ready(process);
    wait_for_state(command, 'T');
    process.signal(SIGCONT);
    process.wait_for_line("RESUMED");
    process.signal(SIGTERM);
    CHECK(process.finish().signal == SIGTERM);
}

TEST_CASE("stop signals of job control stop the command and finally-run, and CONT continues both") {
    for (const int number : {SIGTSTP, SIGTTIN, SIGTTOU}) {
        CAPTURE(number);
        // A shell with jobs keeps the group from being an orphaned one, in which these signals do nothing.
        auto shell =
            Run::of({"bash", "-mc",
                     "finally-run -c 'echo cleaned' -- helper pause & echo JOB $!; wait; wait $!; echo STATUS $?"})
                .start();
        const auto job = static_cast<pid_t>(number_after(shell.wait_for_line("JOB "), "JOB "));
        const pid_t child = child_running("helper", job);
        ::kill(job, number);
        wait_for_state(child, 'T');
        wait_for_state(job, 'T');
        ::kill(job, SIGCONT);
        wait_until("both go on", [&] { return state_of(job) == 'S' && state_of(child) == 'S'; });
        ::kill(job, SIGTERM);
        wait_for_end(job);
        shell.wait_for_err("cleaned");
    }
}

TEST_CASE("a command that takes TSTP and CONT in its own way gets both") {
    auto process = Run({"--", "helper", "print-signals", "USR1"}).start();
    pid_when_ready(process);
    process.signal(SIGTSTP);
    process.wait_for_line("got TSTP");
    process.signal(SIGCONT);
    process.wait_for_line("got CONT");
    process.signal(SIGUSR1);
    CHECK(process.finish().status == 0);
}

TEST_CASE("a second and a third stop signal reach the command too") {
    auto process = Run({"--grace", "0", "--", "helper", "print-signals", "USR1"}).start();
    pid_when_ready(process);
    for (int i = 0; i < 3; ++i) {
        process.signal(SIGINT);
        process.wait_for_line("got INT");
    }
    process.signal(SIGUSR1);
    CHECK(count(process.finish().out, "got INT\n") == 3);
}

TEST_CASE("a message of finally-run's own that is too long for the limit on files does not hit the command") {
    const auto limit_files = [] {
        const rlimit limit{8192, 8192};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    };
    write_file(work("log"), std::string(8192, '.'));
    const int log = ::open(work("log").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    REQUIRE(log >= 0);
    auto process = Run({"-v", "-s", "true", "--", "helper", "print-signals", "RTMIN+1"})
                       .fd(2, log)
                       .before_exec(limit_files)
                       .start();
    ::close(log);
    pid_when_ready(process);
    // It has the highest number of all: what was to come has come when it does.
    process.signal(SIGRTMIN + 1);
    const auto outcome = process.finish();
    CHECK(outcome.status == 0);
    CHECK(count(outcome.out, "got ") == 1);
}

TEST_CASE("the end of the command is noticed although SIGCHLD was ignored at the start and somebody sends it") {
    for (int i = 0; i < tries(30); ++i) {
        auto process =
            Run({"--", "helper", "exit-on", "USR1", "3"}).before_exec([] { ::signal(SIGCHLD, SIG_IGN); }).start();
        const pid_t command = pid_when_ready(process);
        for (int sent = 0; sent < 100; ++sent) {
            process.signal(SIGCHLD);
            if (sent == 50)
                ::kill(command, SIGUSR1);
        }
        CHECK(process.finish().status == 3);
    }
}

TEST_CASE("a command that outlives TERM is named with its pid after a while and so is what follows") {
    auto process = Run({"-k", "1h", "-c", "true", "--", "helper", "ignore", "TERM"}).start();
    const auto pid = process.wait_for_line("READY ").substr(std::string_view("READY ").size());
    process.signal(SIGTERM);
    const auto said = process.wait_for_err("still waiting for the end of");
    CHECK(said.find("finally-run: still waiting for the end of: helper ignore TERM: pid " + pid + ", for ") == 0);
    CHECK(said.find(", is sent KILL in 59m") != std::string::npos);
    ::kill(static_cast<pid_t>(std::stol(pid)), SIGKILL);
    CHECK(process.finish().status == 128 + SIGKILL);
}

TEST_CASE("the same is said of what a command leaves when it is stopped and that outlives TERM too") {
    auto process = Run({"-k", "0", "-c", "true", "--", "helper", "grandchild", "pid", "TERM"}).start();
    process.wait_for_line("READY");
    process.signal(SIGTERM);
    const auto said = process.wait_for_err("still waiting for the end of");
    CHECK(said.find(": helper grandchild pid TERM: pid " + std::string(lines(read_file(work("pid"))).at(0))) !=
          std::string::npos);
    CHECK(said.find("KILL") == std::string::npos);
    ::kill(static_cast<pid_t>(std::stol(read_file(work("pid")))), SIGKILL);
    CHECK(process.finish().signal == SIGTERM);
}

} // namespace
} // namespace finally_run::e2e
