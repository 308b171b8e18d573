// How the guardian stops a command whose supervisor was killed.
#include "guard.hpp"
#include "pty.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

// Who is dead may be a zombie: nobody reaps after the supervisor.
constexpr const char* look = "grep -qs '^State:.[^ZX]' /proc/$(cat pid)/status && echo alive >>log || echo dead >>log";

// The run is killed once the command has said READY; gives back what the cleanups have logged.
std::string log_of_killed(std::vector<std::string> args) {
    auto process = Run(std::move(args)).start();
    process.wait_for_line("READY");
    kill_supervisor(process);
    return log_text();
}

TEST_CASE("the guardian takes the session-mates of the command along, those that ignore TERM too") {
    CHECK(log_of_killed({"--grace", ".1", "-c", look, "--", "helper", "grandchild", "pid", "TERM"}) == "dead\n");
}

TEST_CASE("the guardian names who outlives the grace period and gets SIGKILL") {
    auto process = Run({"--grace", ".1", "-c", "true", "--", "helper", "grandchild", "pid", "TERM"}).start();
    process.wait_for_line("READY");
    const std::string err = kill_supervisor(process).err;
    CHECK(has_line(err, "finally-run: outlived the grace period, sent KILL: helper grandchild pid TERM: pid " +
                            std::to_string(pid_in("pid"))));
}

TEST_CASE("the guardian takes along who has a process group of its own, and who has lost his parent") {
    CHECK(log_of_killed({"--grace", ".1", "-c", look, "--", "bash", "-mc", "helper grandchild pid TERM & wait"}) ==
          "dead\n");
    fs::remove(work("log"));
    CHECK(log_of_killed({"--grace", ".1", "-c", look, "--", "sh", "-c", "helper orphan pid TERM; exec helper pause"}) ==
          "dead\n");
}

TEST_CASE("the guardian takes along an orphan of the command's group that has wiped its environment") {
    constexpr const char* script = "env -i " FINALLY_RUN_HELPER " orphan pid TERM; exec helper pause";
    CHECK(log_of_killed({"--grace", ".1", "-c", look, "--", "sh", "-c", script}) == "dead\n");
}

TEST_CASE("the guardian leaves a daemon with a session of its own to the cleanups, and what a setup has left running") {
    CHECK(log_of_killed({"-c", look, "--", "sh", "-c", "helper daemon pid; exec helper pause"}) == "alive\n");
    fs::remove(work("log"));
    CHECK(log_of_killed({"-s", "helper orphan pid; sleep .05", "-c", look, "--", "helper", "pause"}) == "alive\n");
}

TEST_CASE("the guardian gives the command its grace period to end in its own way") {
    CHECK(log_of_killed({"--grace", "30", "-c", "echo cleaned >>log", "--", "sh", "-c",
                         "trap 'sleep .1; echo goodbye >>log; exit' TERM; echo READY; while :; do sleep .01; done"}) ==
          "goodbye\ncleaned\n");
}

TEST_CASE("the guardian sends the signal that was asked for") {
    constexpr const char* script = "trap 'echo USR1 >>log; exit' USR1; trap 'echo TERM >>log' TERM; echo READY; "
                                   "while :; do sleep .01; done";
    CHECK(log_of_killed({"--grace", "30", "--signal", "USR1", "-c", "echo cleaned >>log", "--", "sh", "-c", script}) ==
          "USR1\ncleaned\n");
}

TEST_CASE("the guardian continues a command that is suspended, so that it can end") {
    CHECK(log_of_killed({"--grace", "0", "-c", "echo cleaned >>log", "--", "helper", "stop-self"}) == "cleaned\n");
}

TEST_CASE("with a grace of 0 the guardian waits for a command that ignores the signal") {
    auto process = Run({"--grace", "0", "-c", "echo cleaned >>log", "--", "helper", "outlive", "TERM", "100"}).start();
    process.wait_for_line("READY");
    const pid_t guardian = guardian_of(process.pid());
    process.signal(SIGKILL);
    process.wait_for_line("still here");
    wait_for_end(guardian);
    CHECK(log_text() == "cleaned\n");
}

TEST_CASE("on a terminal the guardian ends the command and its session-mates, and nobody else of that session") {
    Shell shell;
    shell.enter("helper pause >/dev/null & echo $! >before");
    shell.enter("finally-run --grace .1 -l l -c '" + std::string(witness) +
                "' -- sh -c 'echo $$ >command; exec helper grandchild pid TERM' >/dev/null & echo $! >supervisor");
    wait_for_file(work("pid"));
    shell.enter("helper pause >/dev/null & echo $! >after");
    const pid_t supervisor = pid_in("supervisor");
    const pid_t guardian = guardian_of(supervisor);
    const pid_t after = pid_in("after");
    ::kill(supervisor, SIGKILL);
    wait_for_end(guardian);
    CHECK(log_text() == "cleaned by guardian after lost\n");
    CHECK_FALSE(alive(pid_in("command")));
    CHECK_FALSE(alive(pid_in("pid")));
    CHECK(alive(pid_in("before")));
    CHECK(alive(after));
    CHECK(alive(shell.pid()));
    CHECK_FALSE(is_locked(state_dir() / "l"));
}

TEST_CASE("on a terminal the guardian ends a command that has made a session of its own") {
    Shell shell;
    shell.enter("finally-run --grace .1 -l l -c '" + std::string(witness) +
                "' -- setsid sh -c 'echo $$ >pid; exec helper ignore TERM' >/dev/null & echo $! >supervisor");
    const pid_t command = pid_in("pid");
    const pid_t guardian = guardian_of(pid_in("supervisor"));
    ::kill(pid_in("supervisor"), SIGKILL);
    wait_for_end(guardian);
    CHECK(log_text() == "cleaned by guardian after lost\n");
    CHECK_FALSE(alive(command));
}

TEST_CASE("on a terminal the guardian ends what has wiped its environment and lost its parent meanwhile") {
    Shell shell;
    shell.enter("finally-run --grace .3 -l l -c '" + std::string(witness) +
                "' -- env -i " FINALLY_RUN_HELPER " grandchild pid TERM >/dev/null & echo $! >supervisor");
    const pid_t orphan = pid_in("pid");
    const pid_t guardian = guardian_of(pid_in("supervisor"));
    ::kill(pid_in("supervisor"), SIGKILL);
    wait_for_end(guardian);
    CHECK(log_text() == "cleaned by guardian after lost\n");
    CHECK_FALSE(alive(orphan));
}

TEST_CASE("on a terminal the shell gets its prompt back from a killed run in the foreground") {
    Shell shell;
    shell.enter("finally-run -l l -c '" + std::string(witness) + "' -- sh -c 'echo $$ >pid; exec helper pause'");
    ready(shell);
    const pid_t supervisor = child_running("finally-run", shell.pid());
    const pid_t guardian = guardian_of(supervisor);
    ::kill(supervisor, SIGKILL);
    wait_for_end(guardian);
    shell.enter("echo status $?");
    shell.wait_for("status 137\n");
    CHECK(log_text() == "cleaned by guardian after lost\n");
}

TEST_CASE("a terminal that hangs up and takes finally-run along is cleaned up after") {
    Shell shell;
    shell.enter("finally-run --grace .1 -l l -c '" + std::string(witness) +
                "' -- sh -c 'echo $$ >pid; exec helper ignore HUP TERM'");
    ready(shell);
    const pid_t supervisor = child_running("finally-run", shell.pid());
    const pid_t guardian = guardian_of(supervisor);
    ::kill(supervisor, SIGKILL);
    shell.hang_up();
    wait_for_end(guardian);
    CHECK(log_text() == "cleaned by guardian after lost\n");
    CHECK_FALSE(is_locked(state_dir() / "l"));
}

} // namespace
} // namespace finally_run::e2e
