// What cleanups, and commands that were stopped, have of the terminal and leave of it.
#include "guard.hpp"
#include "pty.hpp"
#include "support/kernel.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

TEST_CASE("a cleanup is in the session of a run on a terminal and has its terminal, but not its Ctrl+C") {
    make_fifo(work("fifo"));
    Shell shell;
    shell.enter("finally-run -c 'helper print-ids; echo begun >/dev/tty; read x <fifo; echo done' -- true; echo s $?");
    const std::string ids = shell.wait_for("begun\n");
    CHECK(number_after(ids, "sid ") == shell.pid());
    CHECK(number_after(ids, "pgid ") != shell.pid());
    shell.type(ctrl_c);
    shell.wait_for("Ctrl+C twice more gives the prompt back");
    release(work("fifo"));
    shell.wait_for("done\n");
    shell.wait_for("s 0\n");
}

TEST_CASE(
    "a cleanup that asks on the terminal is put in front of it, a shell around it or not, and no longer than that") {
    for (const std::string cleanup : {R"(bash -c "read -r x </dev/tty; echo answer \$x")",
                                      R"(true; bash -c "read -r x </dev/tty; echo answer \$x"; true)",
                                      "stty -F /dev/tty sane -echo -onlcr; read -r x </dev/tty; echo answer $x"}) {
        CAPTURE(cleanup);
        Shell shell;
        shell.enter("finally-run -c '" + cleanup + "' -- true; echo status $?");
        shell.line("secret");
        shell.wait_for("answer secret\n");
        shell.wait_for("status 0\n");
        shell.enter("finally-run -- helper pause");
        ready(shell);
        shell.type(ctrl_c); // reaches the job again
        shell.wait_for_prompt();
    }
}

TEST_CASE("a cleanup that asks on a terminal of others fails and holds nobody up") {
    Shell shell;
    shell.enter("finally-run --strict -c 'read -r x </dev/tty; echo answer' -- true &");
    std::string said = shell.enter("wait $!; echo status $?");
    said += shell.wait_for("status 120\n");
    CHECK(said.find("killed by HUP") != std::string::npos);
}

TEST_CASE("what a cleanup leaves in the session of the run is an error of its, and nothing else is") {
    Shell shell;
    shell.enter("finally-run --strict -c 'helper orphan left' -- helper orphan older; echo status $?");
    const std::string said = shell.wait_for("status 120\n");
    CHECK(said.find("left a process running") != std::string::npos);
    ::kill(pid_in("left"), SIGKILL);
    ::kill(pid_in("older"), SIGKILL);
    shell.enter("finally-run --strict -c 'true' -- helper orphan older; echo status $?");
    shell.wait_for("status 0\n");
    ::kill(pid_in("older"), SIGKILL);
}

TEST_CASE("a time limit ends a cleanup in the session of the run with all that it has started") {
    Shell shell;
    shell.enter("finally-run --cleanup-timeout .2 --grace .2 -c 'helper grandchild left TERM' -- helper orphan older; "
                "echo status $?");
    shell.wait_for("status 0\n");
    CHECK_FALSE(alive(pid_in("left")));
    CHECK(alive(pid_in("older")));
    ::kill(pid_in("older"), SIGKILL);
}

TEST_CASE("the guardian lets a cleanup end that has the terminal of the run") {
    make_fifo(work("fifo"));
    Terminal terminal(Run({"-c", waiting, "-c", "true", "--", "true"}));
    wait_for_log("begun");
    ::kill(terminal.pid(), SIGKILL);
    terminal.finish();
    wait_until_finishing();
    release(work("fifo"));
    wait_for_log("ended");
    if (!test::kernel_tells_exits())
        release(work("fifo")); // it is run again
    wait_until("the guardian is done", [] { return run_files().empty(); });
    CHECK(count(log_text(), "begun") == (test::kernel_tells_exits() ? 1 : 2));
}

TEST_CASE("an outer run on the same terminal that is stopped does not cut off the cleanup of an inner one") {
    make_fifo(work("fifo"));
    Terminal terminal(Run({"--", "sh", "-c", "finally-run -c '" + std::string(waiting) + "' -- true; true"}));
    wait_for_log("begun");
    ::kill(terminal.pid(), SIGTERM);
    terminal.wait_for("still cleaning up"); // the inner one has been told to stop: so has all that the outer one stops
    release(work("fifo"));
    terminal.finish();
    CHECK(log_text() == "begun\nended\n");
}

TEST_CASE("the guardian of an outer run on the same terminal does not cut off the cleanup of an inner one") {
    make_fifo(work("fifo"));
    // It ends by TERM alone.
    const std::string beside = "trap '' HUP; sleep 300 & echo $! >beside; ";
    Terminal terminal(
        Run({"-c", "echo outer >>log", "--", "sh", "-c", beside + "finally-run -c '" + waiting + "' -- true; true"}));
    wait_for_log("begun");
    ::kill(terminal.pid(), SIGKILL);
    terminal.finish();
    wait_for_end(pid_in("beside")); // so all have been told that the guardian stops
    release(work("fifo"));
    wait_for_log("outer");
    CHECK(log_text() == "begun\nended\nouter\n");
}

// The settings before and after, as a shell that does not touch them sees them.
bool leaves_settings(const std::string& run) {
    Terminal(Run::script("stty -g >before; " + run + "; stty -g >after")).finish();
    return read_file(work("before")) == read_file(work("after"));
}

TEST_CASE("a command that was stopped or killed leaves the terminal's settings as they were found") {
    CHECK(leaves_settings("finally-run -t .3 -- sh -c 'stty -echo -icanon; exec sleep 300'"));
    CHECK(leaves_settings("finally-run -- sh -c 'stty -echo -icanon; kill -KILL $$'"));
}

TEST_CASE("so does a cleanup") {
    CHECK(leaves_settings("finally-run -c 'stty -echo -icanon </dev/tty; kill -KILL $$' -- true"));
    const std::string deaf = "trap : TERM; stty -icanon </dev/tty; while :; do sleep 1; done";
    CHECK(leaves_settings("finally-run --cleanup-timeout .3 --grace .1 -c '" + deaf + "' -- true"));
}

TEST_CASE("a command or cleanup that has set the terminal and ended by itself has set it on purpose") {
    CHECK_FALSE(leaves_settings("finally-run -- stty -icanon"));
    CHECK_FALSE(leaves_settings("finally-run -c 'stty -icanon </dev/tty' -- true"));
}

TEST_CASE("a terminal that nobody reads keeps neither TERM nor silent cleanups") {
    Terminal terminal(Run({"-v", "-c", "touch cleaned", "--", "sh", "-c", "touch started; exec yes"}));
    wait_for_file(work("started"));
    const pid_t yes = child_running("yes", terminal.pid());
    wait_until("it can write no more", [&] { return state_of(yes) == 'S'; });
    ::kill(terminal.pid(), SIGTERM);
    wait_for_file(work("cleaned"));
    wait_for_end(terminal.pid());
    CHECK(terminal.finish().signal == SIGTERM);
}

} // namespace
} // namespace finally_run::e2e
