// --stop-with-caller: CI steps, ssh sessions, and callers that vanish.
#include "harness.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

// bash with a command after finally-run, so that it does not exec it.
Run caller(const std::string& options, const std::string& command) {
    return Run::of({"bash", "-c",
                    "finally-run " + options + " -c 'echo cleaned $FINALLY_RUN_RESULT' -- " + command + "; exit $?"});
}

void kill_caller(Process& shell) {
    shell.signal(SIGKILL);
    wait_until("the caller is dead", [&] { return !alive(shell.pid()); });
}

void nobody_is_left() {
    wait_until("nothing of the run is left", [] { return leftovers().empty(); });
}

void check_stops(Run run) {
    auto shell = run.start();
    shell.wait_for_line("READY");
    kill_caller(shell);
    CHECK(shell.wait_for_err("cleaned") == "cleaned caller-gone");
    nobody_is_left();
}

void check_goes_on(Run run) {
    make_fifo(work("fifo"));
    auto shell = run.start();
    shell.wait_for_line("READY");
    kill_caller(shell);
    release(work("fifo"));
    shell.wait_for_line("command ended");
    CHECK(shell.wait_for_err("cleaned") == "cleaned success");
    nobody_is_left();
    fs::remove(work("fifo"));
}

constexpr const char* reader = "sh -c 'echo READY; read x <fifo; echo command ended'";

TEST_CASE("a cancelled CI step is stopped and cleaned up although finally-run got no signal") {
    write_file(
        work("step.sh"),
        "finally-run --lock l -c 'echo cleaned $FINALLY_RUN_RESULT' --temp-dir T -- helper pause\necho not reached\n");
    auto shell = Run::of({"bash", "-eo", "pipefail", "step.sh"}).env("CI", "true").start();
    const auto command = static_cast<pid_t>(number_after(shell.wait_for_line("READY"), "READY "));
    shell.signal(SIGINT);
    wait_until("bash has taken the INT", [&] {
        const auto status = read_file("/proc/" + std::to_string(shell.pid()) + "/status");
        return status.find("ShdPnd:\t0000000000000000") != std::string::npos && state_of(shell.pid()) == 'S';
    });
    CHECK(alive(command));
    shell.signal(SIGTERM);
    wait_until("bash is dead", [&] { return !alive(shell.pid()); });
    CHECK(shell.wait_for_err("cleaned") == "cleaned caller-gone");
    nobody_is_left();
    CHECK_FALSE(alive(command));
    CHECK_FALSE(is_locked(state_dir() / "l"));
    CHECK(fs::is_empty(case_dir() / "tmp"));
    CHECK(shell.finish().out.find("not reached") == std::string::npos);
}

TEST_CASE("a caller that vanishes while orphans are waited for has vanished") {
    auto shell = caller("--stop-with-caller always --orphans wait", "helper orphan pid").start();
    wait_for_orphan_of(child_running("finally-run", shell.pid()));
    kill_caller(shell);
    CHECK(shell.wait_for_err("cleaned") == "cleaned caller-gone");
    nobody_is_left();
}

TEST_CASE("a cancelled CI step that ends its process group is cleaned up") {
    write_file(work("step.sh"), "finally-run -c 'echo cleaned' -- helper pause\necho not reached\n");
    auto shell = Run::of({"bash", "-eo", "pipefail", "step.sh"}).env("CI", "true").start();
    shell.wait_for_line("READY");
    ::kill(-shell.pid(), SIGTERM);
    shell.wait_for_err("cleaned");
    nobody_is_left();
}

TEST_CASE("in a CI a run stops when its caller is gone") {
    check_stops(caller("", "helper pause").env("CI", "true"));
    check_stops(caller("--grace .1", "helper ignore TERM").env("CI", "1"));
}

TEST_CASE("elsewhere a run goes on when its caller is gone") { check_goes_on(caller("", reader)); }

TEST_CASE("a run stops with its caller or not as asked") {
    check_stops(caller("--stop-with-caller always", "helper pause"));
    check_goes_on(caller("--stop-with-caller never", reader).env("CI", "true"));
}

TEST_CASE("a run that ignores hang-ups goes on when its caller is gone, unless asked to stop") {
    const auto no_hang_up = [] { ::signal(SIGHUP, SIG_IGN); };
    check_goes_on(caller("", reader).env("CI", "true").before_exec(no_hang_up));
    check_stops(caller("--stop-with-caller always", "helper pause").before_exec(no_hang_up));
}

TEST_CASE("dash as the caller vanishes like bash") {
    check_stops(Run::of({"dash", "-c", "finally-run -c 'echo cleaned $FINALLY_RUN_RESULT' -- helper pause; exit $?"})
                    .env("CI", "true"));
}

TEST_CASE("a caller that vanishes while a lock is waited for leaves no waiter behind") {
    auto holder = Run({"--lock", "l", "--", "helper", "pause"}).start();
    holder.wait_for_line("READY");
    auto shell = Run::script("finally-run --lock l -- echo ran; exit $?").env("CI", "true").start();
    wait_for_lock_waiters(state_dir() / "l", 1);
    kill_caller(shell);
    wait_until("only the holder, its guardian and its command are left", [] { return leftovers().size() == 3; });
}

TEST_CASE("a caller that vanishes during a setup stops the setup") {
    auto shell = Run::script("finally-run -c 'echo cleaned $FINALLY_RUN_RESULT' -s 'helper pause' -- echo ran; exit $?")
                     .env("CI", "true")
                     .start();
    shell.wait_for_err("READY");
    kill_caller(shell);
    shell.wait_for_err("cleaned");
    nobody_is_left();
    CHECK(shell.finish().out.empty());
}

TEST_CASE("a caller that vanishes during the cleanups does not stop them") {
    make_fifo(work("fifo"));
    auto shell = Run::script("finally-run -c 'echo last' -c 'echo begun; read x <fifo; echo ended' -- true; exit $?")
                     .env("CI", "true")
                     .start();
    shell.wait_for_err("begun");
    kill_caller(shell);
    release(work("fifo"));
    shell.wait_for_err("ended");
    shell.wait_for_err("last");
}

TEST_CASE("in an ssh session without a terminal a run stops when nobody reads stdout any more") {
    auto process = Run({"-c", "echo cleaned $FINALLY_RUN_RESULT", "--", "helper", "pause"})
                       .env("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
                       .start();
    process.wait_for_line("READY");
    process.close_out();
    CHECK(process.wait_for_err("cleaned") == "cleaned caller-gone");
    process.finish();
}

TEST_CASE("in an ssh session without a terminal the cleanups go on when stderr is gone as well") {
    auto process = Run({"-c", "echo one; echo two && touch cleaned", "--", "helper", "pause"})
                       .env("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
                       .start();
    process.wait_for_line("READY");
    process.close_err();
    process.close_out();
    wait_for_file(work("cleaned"));
    process.finish();
}

TEST_CASE("outside of ssh a reader of stdout that has gone is the command's own affair") {
    make_fifo(work("fifo"));
    auto process = Run({"--", "sh", "-c", "echo READY; read x <fifo; touch ended"}).start();
    process.wait_for_line("READY");
    process.close_out();
    release(work("fifo"));
    CHECK(process.finish().status == 0);
    CHECK(fs::exists(work("ended")));
}

TEST_CASE("what is written to nobody in a session of ssh does not stop a run that had no reader to begin with") {
    const auto outcome = Run::script("finally-run -- helper exit 3 >/dev/null")
                             .env("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
                             .run();
    CHECK(outcome.status == 3);
}

} // namespace
} // namespace finally_run::e2e
