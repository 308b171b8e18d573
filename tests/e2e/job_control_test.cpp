// At a terminal: commands that lead a process group of their own, stop themselves, or will not be stopped.
#include "pty.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

TEST_CASE("a typed Ctrl+C reaches a command that has made a process group of its own") {
    Shell shell;
    shell.enter("finally-run -c 'echo cleaned' -- timeout 300 helper pause");
    const pid_t inner = ready(shell);
    shell.type(ctrl_c);
    shell.wait_for("cleaned\n");
    CHECK_FALSE(alive(inner));
    shell.enter("echo status $?");
    shell.wait_for("status 130\n");
}

TEST_CASE("a typed Ctrl+Z stops a command that has made a process group of its own, and fg continues it") {
    Shell shell;
    shell.enter("finally-run -c 'echo cleaned' -- timeout 300 sh -c 'echo READY $PPID; exec helper pause'");
    const pid_t command = ready(shell);
    ready(shell);
    for (int i = 0; i < 3; ++i)
        stop_and_continue(shell, command);
    shell.type(ctrl_c);
    shell.wait_for("cleaned\n");
    shell.wait_for_prompt();
    CHECK_FALSE(alive(command));
}

TEST_CASE("a command that stops itself with SIGSTOP gives the prompt back, and fg continues it") {
    Shell shell;
    shell.enter("finally-run -c 'echo cleaned' -- helper stop-self");
    const pid_t command = ready(shell);
    shell.wait_for("Stopped");
    wait_for_state(command, 'T');
    shell.enter("fg");
    shell.wait_for("RESUMED\n");
    shell.type(ctrl_c);
    shell.wait_for("cleaned\n");
    shell.enter("echo status $?");
    shell.wait_for("status 130\n");
}

TEST_CASE("a command that is sent SIGSTOP by somebody gives the prompt back, and fg continues it") {
    Shell shell;
    shell.enter("finally-run -c 'echo cleaned' -- helper pause");
    const pid_t command = ready(shell);
    ::kill(command, SIGSTOP);
    shell.wait_for("Stopped");
    shell.enter("fg");
    wait_for_state(command, 'S');
    shell.type(ctrl_c);
    shell.wait_for("cleaned\n");
    shell.wait_for_prompt();
}

TEST_CASE("a program that ignores Ctrl+Z keeps the terminal, and finally-run does not stop either") {
    Shell shell;
    shell.enter("finally-run -c 'echo cleaned' -- "
                "sh -c 'trap \"\" TSTP; echo READY $$; while read x; do echo got $x; done'");
    ready(shell);
    for (const std::string word : {"one", "two", "three"}) {
        shell.type(ctrl_z);
        shell.line(word);
        CHECK(shell.wait_for("got " + word + "\n") == "got " + word + "\n");
    }
    shell.type("\x04");
    // A slow machine may get to the last Ctrl+Z while it cleans up, and then says so.
    const auto end = shell.enter("echo status $?");
    CHECK_MESSAGE(has_line(end, "cleaned"), end);
    CHECK_MESSAGE(end.find("Stopped") == std::string::npos, end);
    shell.wait_for("status 0\n");
}

TEST_CASE("a program that stops in its grace period to read the terminal is killed at its end and cleaned up") {
    Shell shell;
    shell.enter("finally-run --grace .5 -c 'echo cleaned' -- "
                "bash -c 'trap \"read x </dev/tty\" TERM; echo READY $$; while :; do sleep .05; done' &");
    const pid_t command = ready(shell);
    shell.line("kill %1");
    shell.wait_for("cleaned\n");
    CHECK_FALSE(alive(command));
}

} // namespace
} // namespace finally_run::e2e
