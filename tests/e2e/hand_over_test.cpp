// Ctrl+C during the cleanups: the third one gives the prompt back and leaves the rest to the guardian.
#include "guard.hpp"
#include "pty.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

// Cleanups of a run at a terminal, and somebody who types.
struct Cleaning {
    Shell shell;
    pid_t supervisor;
    pid_t guardian;

    explicit Cleaning(const std::string& cleanups) {
        make_fifo(work("fifo"));
        shell.enter("stty echo");
        shell.enter("finally-run -l l " + cleanups + " -- true");
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
