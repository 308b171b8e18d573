// At a terminal: keys, jobs and hang-ups.
#include "pty.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

TEST_CASE("a typed Ctrl+C reaches the command exactly once and the cleanups run") {
    Shell shell;
    // -q: the kernel tells one process of a group after the other, so our own copy of a key may come as late as the
    // cleanup.
    shell.enter("finally-run -q --grace 0 -c 'echo cleaned' -- helper print-signals USR1");
    const pid_t command = ready(shell);
    for (const auto& [key, name] : {std::pair{ctrl_c, "INT"}, {ctrl_backslash, "QUIT"}}) {
        shell.type(key);
        CHECK(shell.wait_for("\n") == "got " + std::string(name) + "\n");
    }
    ::kill(command, SIGUSR1);
    CHECK(shell.enter("echo status $?") == "got USR1\ncleaned\n");
    shell.wait_for("status 0\n");
}

TEST_CASE("a typed Ctrl+C interrupts the command, cleans up, and the shell sees an interrupt") {
    Shell shell;
    shell.enter("finally-run --lock l -c 'echo cleaned' -- helper pause");
    ready(shell);
    shell.type(ctrl_c);
    shell.wait_for("cleaned\n");
    shell.enter("echo status $?");
    shell.wait_for("status 130\n");
    CHECK_FALSE(is_locked(state_dir() / "l"));
}

TEST_CASE("a loop in the shell ends with a typed Ctrl+C") {
    Shell shell;
    shell.enter("for i in 1 2 3; do finally-run -q -c 'echo cleaned' -- helper pause; done");
    ready(shell);
    shell.type(ctrl_c);
    CHECK(shell.wait_for_prompt() == "cleaned\n\n");
}

TEST_CASE("a typed Ctrl+Backslash quits the command and the cleanups run") {
    Shell shell;
    shell.enter("finally-run -c 'echo cleaned' -- helper pause");
    ready(shell);
    shell.type(ctrl_backslash);
    shell.wait_for("cleaned\n");
    shell.enter("echo status $?");
    shell.wait_for("status 131\n");
}

TEST_CASE("a typed Ctrl+Z stops the job and fg continues it") {
    Shell shell;
    shell.enter("finally-run -c 'echo cleaned' -- helper pause");
    const pid_t command = ready(shell);
    stop_and_continue(shell, command);
    shell.type(ctrl_c);
    shell.wait_for("cleaned\n");
    shell.wait_for_prompt();
}

TEST_CASE("a job can be stopped and continued again and again") {
    Shell shell;
    shell.enter("finally-run -c 'echo cleaned' -- cat");
    for (int i = 0; i < 3; ++i) {
        shell.line("hello");
        shell.wait_for("hello\n");
        shell.type(ctrl_z);
        shell.wait_for("Stopped");
        shell.enter("fg");
    }
    shell.line("hello");
    shell.wait_for("hello\n");
    shell.type("\x04");
    shell.wait_for("cleaned\n");
    shell.enter("echo status $?");
    shell.wait_for("status 0\n");
}

TEST_CASE("a stopped job can be continued in the background and killed") {
    Shell shell;
    shell.enter("finally-run -c 'echo cleaned' -- helper pause");
    const pid_t command = ready(shell);
    shell.type(ctrl_z);
    shell.wait_for("Stopped");
    shell.enter("bg");
    wait_for_state(command, 'S');
    shell.enter("kill %1");
    shell.wait_for("cleaned\n");
}

TEST_CASE("a stopped job that is killed is continued and cleaned up") {
    Shell shell;
    shell.enter("finally-run -c 'echo cleaned' -- helper pause");
    const pid_t command = ready(shell);
    shell.type(ctrl_z);
    shell.wait_for("Stopped");
    shell.enter("kill %1");
    shell.wait_for("cleaned\n");
    wait_for_end(command);
}

TEST_CASE("a program that stops its own group like an editor stops the job and comes back with fg") {
    Shell shell;
    shell.enter("finally-run -c 'echo cleaned' -- helper suspend-group");
    const pid_t command = ready(shell);
    shell.wait_for("Stopped");
    wait_for_state(command, 'T');
    shell.enter("fg");
    shell.wait_for("BACK\n");
    shell.wait_for("cleaned\n");
    shell.enter("echo status $?");
    shell.wait_for("status 0\n");
}

TEST_CASE("a program that reads the terminal from the background stops, and reads after fg") {
    Shell shell;
    shell.enter("finally-run cat & job=$!");
    shell.enter("echo JOB $job");
    shell.wait_for("JOB ");
    const auto job = static_cast<pid_t>(number_after(shell.wait_for("\n"), ""));
    wait_for_state(child_running("cat", job), 'T');
    wait_for_state(job, 'T');
    shell.enter("fg");
    wait_for_state(job, 'S');
    shell.line("hello");
    shell.wait_for("hello\n");
    shell.type("\x04");
    shell.enter("echo status $?");
    shell.wait_for("status 0\n");
}

TEST_CASE("a hang-up of the terminal that finally-run leads reaches also what the command does not pass it on to") {
    Shell shell;
    // Like make: it lives through a hang-up, and waits for its child.
    shell.enter("exec finally-run --grace 1h -c 'echo cleaned after $FINALLY_RUN_RESULT >>log' -- "
                "sh -c 'trap : HUP; helper pause & wait; wait'");
    ready(shell);
    shell.hang_up();
    wait_until("it is cleaned up after", [] { return read_file(work("log")) == "cleaned after stopped\n"; });
}

TEST_CASE("with a terminal the command shares the process group of finally-run") {
    Shell shell;
    shell.enter("finally-run -- helper print-ids");
    const auto line = shell.wait_for_prompt();
    CHECK(number_after(line, "pgid ") == number_after(line, "ppid "));
}

TEST_CASE("Ctrl+C during a cleanup does not reach it and says what is running") {
    Shell shell;
    shell.enter("finally-run -c 'helper print-signals USR1' -- true");
    const pid_t cleanup = ready(shell);
    shell.type(ctrl_c);
    shell.wait_for("finally-run: ");
    CHECK(shell.wait_for("\n").find("helper print-signals USR1") != std::string::npos);
    ::kill(cleanup, SIGUSR1);
    const auto rest = shell.wait_for_prompt();
    CHECK(count(rest, "got INT") == 0);
    CHECK(count(rest, "got USR1") == 1);
}

TEST_CASE("Ctrl+Z during a cleanup does not lose it") {
    Shell shell;
    shell.enter("finally-run -c 'helper print-signals USR1' -- true");
    const pid_t cleanup = ready(shell);
    shell.type(ctrl_z);
    ::kill(cleanup, SIGUSR1);
    shell.wait_for("got USR1\n");
}

TEST_CASE("a cleanup may write to a terminal that stops background writers") {
    Shell shell;
    shell.enter("stty tostop");
    shell.enter("finally-run -c 'echo cleaned' -- true");
    shell.wait_for("cleaned\n");
    shell.wait_for_prompt();
}

TEST_CASE("a terminal that is hung up still gets its cleanups run, with their output going nowhere") {
    for (const bool below_shell : {true, false}) {
        CAPTURE(below_shell);
        const std::vector<std::string> words{"-c", "echo noise; echo noise && touch cleaned", "--", "helper", "pause"};
        if (below_shell) {
            Shell shell;
            shell.enter("finally-run -c 'echo noise; echo noise && touch cleaned' -- helper pause");
            ready(shell);
            shell.hang_up();
            wait_for_file(work("cleaned"));
            wait_until("all is over", [] { return leftovers().empty(); });
        } else {
            Terminal terminal{Run(words)};
            ready(terminal);
            terminal.hang_up();
            wait_for_file(work("cleaned"));
            CHECK(terminal.finish().signal == SIGHUP);
        }
        fs::remove(work("cleaned"));
    }
}

TEST_CASE("a terminal that is hung up in mid-cleanup does not stop it") {
    Shell shell;
    shell.enter("finally-run -c 'touch last' "
                "-c 'echo begun; until test -e go; do sleep .01; done; seq 10000 && touch cleaned' -- true");
    shell.wait_for("begun\n");
    shell.hang_up();
    write_file(work("go"), "");
    wait_for_file(work("last"));
    CHECK(fs::exists(work("cleaned")));
}

// The hang-up reaches it there: it has got what it asked for.
TEST_CASE("a terminal that is hung up while a cleanup is in its foreground does not keep that from succeeding") {
    for (const std::string redirection : {"", " 2>err"}) {
        CAPTURE(redirection);
        Shell shell;
        shell.enter(
            "finally-run -c 'touch last' -c 'stty sane </dev/tty; echo $$ >begun; until test -e go; do sleep .01; "
            "done; touch cleaned' -- true" +
            redirection);
        wait_for_file(work("begun"));
        const pid_t cleanup = pid_in("begun");
        shell.hang_up();
        wait_for_end(cleanup);
        write_file(work("go"), "");
        wait_for_file(work("last"));
        CHECK(fs::exists(work("cleaned")));
        wait_until("all is over", [] { return leftovers().empty(); });
        for (const char* const file : {"begun", "go", "last", "cleaned"})
            fs::remove(work(file));
    }
}

TEST_CASE("pipelines at a terminal are stopped and continued and interrupted as one job") {
    Shell shell;
    shell.enter("finally-run -c 'echo cleaned >&2' -- helper pause | cat");
    const pid_t command = ready(shell);
    stop_and_continue(shell, command);
    shell.type(ctrl_c);
    shell.wait_for("cleaned\n");
    shell.wait_for_prompt();
}

TEST_CASE("Ctrl+C while a lock is waited for ends the wait") {
    auto holder = Run({"--lock", "l", "--", "helper", "pause"}).start();
    holder.wait_for_line("READY");
    Shell shell;
    shell.enter("finally-run --lock l -c 'echo cleaned' -- echo ran");
    wait_for_lock_waiters(state_dir() / "l", 1);
    shell.type(ctrl_c);
    const auto said = shell.enter("echo status $?");
    CHECK(count(said, "ran\n") == 0);
    CHECK(count(said, "cleaned") == 0);
    shell.wait_for("status 130\n");
}

} // namespace
} // namespace finally_run::e2e
