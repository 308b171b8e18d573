// Ctrl+C during the cleanups: the third one gives the prompt back and leaves the rest to the guardian. Elsewhere nobody
// promises that.
#include "engine.hpp"
#include "pty.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

// Cleanups of a run at a terminal, and somebody who types.
struct Cleaning {
    Shell shell;
    pid_t supervisor;
    pid_t guardian;

    // `command`: a Ctrl+C ends it.
    explicit Cleaning(const std::string& cleanups, const std::string& command = "") {
        make_fifo(work("fifo"));
        shell.enter("stty echo");
        shell.enter("finally-run -l l " + cleanups + " -- " + (command.empty() ? "true" : command));
        if (!command.empty()) {
            ready(shell);
            shell.type(ctrl_c);
            ++m_typed;
        }
        wait_for_log("begun");
        supervisor = child_running("finally-run", shell.pid());
        guardian = guardian_of(supervisor);
    }

    // Returns when the supervisor has taken it: the next one would count together with one that it has not. The echo
    // of the key follows the signal, so that who sees it knows that the signal has been sent.
    void type_ctrl_c() {
        shell.type(ctrl_c);
        shell.wait_for_times("^C", ++m_typed);
        wait_until_taken();
    }
    void interrupt() {
        ::kill(supervisor, SIGINT);
        wait_until_taken();
    }

private:
    void wait_until_taken() const {
        wait_until("the interrupt is taken", [this] { return !is_pending(supervisor, SIGINT); });
    }

    std::size_t m_typed = 0;
};

TEST_CASE("the third typed Ctrl+C gives the prompt back, and the guardian finishes under the lock") {
    Cleaning run("-c 'echo last >>log' -c '" + std::string(waiting) + "'");
    run.type_ctrl_c();
    run.shell.wait_for("still cleaning up after INT");
    run.type_ctrl_c();
    CHECK(alive(run.supervisor));
    run.shell.type(ctrl_c);
    run.shell.enter("echo status $?");
    run.shell.wait_for("status 130\n");
    CHECK(alive(run.guardian));
    CHECK(is_locked(state_dir() / "l"));
    release(work("fifo"));
    wait_for_end(run.guardian);
    CHECK(log_text() == "begun\nended\nlast\n"); // not cut off, so not run again
    CHECK_FALSE(is_locked(state_dir() / "l"));
    CHECK(run_files().empty());
}

TEST_CASE("what is said of the first Ctrl+C of the cleanups holds also after one that has ended the command") {
    for (const std::string command : {"", "helper pause"}) {
        CAPTURE(command);
        Cleaning run("-c '" + std::string(waiting) + "'", command);
        run.type_ctrl_c();
        run.shell.wait_for("still cleaning up after INT");
        CHECK(run.shell.wait_for("\n").ends_with(": Ctrl+C twice more gives the prompt back\n"));
        run.type_ctrl_c();
        CHECK(alive(run.supervisor));
        run.shell.type(ctrl_c);
        run.shell.wait_for("left to the guardian");
        wait_for_end(run.supervisor);
        release(work("fifo"));
        wait_for_end(run.guardian);
        fs::remove(work("log"));
        fs::remove(work("fifo"));
    }
}

// What is said of a Ctrl+C that is typed when a cleanup has begun.
std::string said_of_ctrl_c(const Run& run) {
    Terminal terminal(run);
    wait_for_log("begun");
    terminal.type(ctrl_c);
    terminal.wait_for("still cleaning up after INT: ");
    std::string said = terminal.wait_for("\n");
    release(work("fifo"));
    CHECK(terminal.finish().signal == SIGINT);
    fs::remove(work("log"));
    return said;
}

TEST_CASE("who cleans up for another run does not say that a Ctrl+C gives the prompt back") {
    make_fifo(work("fifo"));
    const auto offers_stop = [](const std::string& said) {
        return said.find(" --stop ") != std::string::npos && said.find("prompt") == std::string::npos;
    };
    for (const auto& successor : {Run({"-l", "l", "--", "touch", "ran"}), Run({"--recover"})}) {
        static_cast<void>(leave_unfinished(Run({"-l", "l", "-c", waiting, "--", "helper", "pause"})));
        CHECK(offers_stop(said_of_ctrl_c(successor)));
    }
    auto next = on_a({"-l", "file:x", "--cleanup-anywhere", waiting, "--", "touch", "ran"});
    write_file(engine_file("x.unclean"), "host x, run y, pid 3: dead\n");
    CHECK(offers_stop(said_of_ctrl_c(next)));
    CHECK_FALSE(fs::exists(work("ran")));
}

TEST_CASE("after the third Ctrl+C the line says where to look, and there the run is being finished") {
    Cleaning run("-c '" + std::string(waiting) + "'");
    run.type_ctrl_c();
    run.type_ctrl_c();
    run.shell.type(ctrl_c);
    run.shell.wait_for("finally-run: left to the guardian: ");
    run.shell.wait_for("finally-run --status");
    wait_for_end(run.supervisor);
    wait_until_finishing();
    release(work("fifo"));
    wait_for_end(run.guardian);
}

TEST_CASE("an INT that nobody has typed counts for no prompt and says nothing of one") {
    Cleaning run("-c '" + std::string(waiting) + "'");
    run.interrupt();
    run.shell.wait_for("still cleaning up after INT: ");
    CHECK(run.shell.wait_for("\n").find("prompt") == std::string::npos);
    release(work("fifo"));
    wait_for_end(run.supervisor);
}

TEST_CASE("two typed Ctrl+C and any number of signals from elsewhere do not end a run that cleans up") {
    Cleaning run("-c 'echo last >>log' -c '" + std::string(waiting) + "'");
    run.type_ctrl_c();
    run.type_ctrl_c();
    for (int i = 0; i < 5; ++i) {
        run.interrupt();
    }
    CHECK(alive(run.supervisor));
    release(work("fifo"));
    run.shell.enter("echo status $?");
    run.shell.wait_for("status 0\n");
    CHECK(log_text() == "begun\nended\nlast\n");
}

TEST_CASE("what was left to the guardian is finished by the next run when the guardian is killed too") {
    Cleaning run("-c 'echo last >>log' -c '" + std::string(waiting) + "'");
    run.type_ctrl_c();
    run.type_ctrl_c();
    run.shell.type(ctrl_c);
    wait_for_end(run.supervisor);
    ::kill(run.guardian, SIGKILL);
    wait_for_end(run.guardian);
    auto next = Run({"-l", "l", "--", "cat", "log"}).start();
    next.wait_for_err("recovering");
    release(work("fifo"));
    const auto outcome = next.finish();
    CHECK(outcome.status == 0);
    CHECK(outcome.out == "begun\nended\nlast\n");
}

} // namespace
} // namespace finally_run::e2e
