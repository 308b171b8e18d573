// finally-run as pid 1, and below one.
#include "harness.hpp"

#include <csignal>
#include <cstring>

namespace finally_run::e2e {
namespace {

Run in_new_pid_namespace(const std::vector<std::string>& argv) {
    return Run::of(unshare({"--pid", "--fork", "--mount-proc"}, argv));
}

TEST_CASE("as pid 1 the status is that of the command") {
    const auto outcome =
        in_new_pid_namespace({"finally-run", "-c", "echo cleaned", "--", "sh", "-c", "echo $PPID; exit 3"}).run();
    CHECK(outcome.status == 3);
    CHECK(outcome.out == "1\n");
    CHECK(has_line(outcome.err, "cleaned"));
}

TEST_CASE("as pid 1 a command killed by a signal gives 128 and its number") {
    for (const auto& [name, number] : {std::pair{"TERM", SIGTERM}, {"SEGV", SIGSEGV}, {"KILL", SIGKILL}}) {
        const auto outcome =
            in_new_pid_namespace({"finally-run", "-c", "echo cleaned", "--", "helper", "die-of", name}).run();
        CHECK(outcome.status == 128 + number);
        CHECK(has_line(outcome.err, "cleaned"));
    }
}

TEST_CASE("as pid 1 it reaps every zombie") {
    const auto outcome = in_new_pid_namespace({"finally-run", "--", "helper", "reaped"}).run();
    CHECK(outcome.status == 0);
    CHECK(has_line(outcome.out, "REAPED"));
}

TEST_CASE("below pid 1 it reaps every zombie of its tree too") {
    CHECK(Run::of(unshare({"--pid", "--fork", "--mount-proc"}, {"sh", "-c", "finally-run -- helper reaped; exit $?"}))
              .run()
              .status == 0);
}

TEST_CASE("as pid 1 it sends TERM on and cleans up") {
    auto process = in_new_pid_namespace({"finally-run", "-c", "echo cleaned", "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    ::kill(child_running("finally-run", process.pid()), SIGTERM);
    const auto outcome = process.finish();
    CHECK(outcome.status == 128 + SIGTERM);
    CHECK(has_line(outcome.err, "cleaned"));
}

TEST_CASE("as pid 1 it sends on every signal that has no effect on a pid 1 without a handler") {
    auto process =
        in_new_pid_namespace({"finally-run", "--grace", "0", "--", "helper", "print-signals", "USR1"}).start();
    process.wait_for_line("READY");
    const pid_t init = child_running("finally-run", process.pid());
    for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR2, SIGWINCH}) {
        ::kill(init, number);
        CHECK(process.wait_for_line("got ") == std::string("got ") + ::sigabbrev_np(number));
    }
    ::kill(init, SIGUSR1);
    CHECK(process.finish().status == 0);
}

TEST_CASE("a caller that is pid 1 has not vanished") {
    // It has looked for its caller when it sleeps.
    constexpr const char* until_it_sleeps = "until grep -q \"^State:.S\" /proc/$PPID/status; do :; done; exit 5";
    const auto outcome = in_new_pid_namespace({"sh", "-c",
                                               "finally-run --stop-with-caller always -- sh -c '" +
                                                   std::string(until_it_sleeps) + "'; exit $?"})
                             .run();
    CHECK(outcome.status == 5);
}

TEST_CASE("without a mounted proc the cleanups run all the same" * doctest::skip(sanitized)) {
    fs::create_directory(work("empty"));
    const auto outcome = Run::of(unshare({"-m"}, {"sh", "-c",
                                                  "mount --bind empty /proc && exec finally-run --lock l -s 'echo up' "
                                                  "-c 'echo down' --temp-dir T -- echo ran"}))
                             .run();
    CHECK(outcome.status == 0);
    CHECK(outcome.out == "ran\n");
    CHECK(outcome.err == "up\ndown\n");
}

// A shell of its own, since nothing below it has a /proc.
Run without_proc(const std::string& script) {
    fs::create_directory(work("empty"));
    return Run::of(unshare({"-m"}, {"sh", "-c", "mount --bind empty /proc && " + script}));
}

TEST_CASE("without a mounted proc the guardian ends the command and its group all the same, and says what it cannot" *
          doctest::skip(sanitized)) {
    make_fifo(work("fifo"));
    auto process = without_proc("exec finally-run --grace .1 -c 'echo cleaning; read x <fifo' -- sh -c 'echo $PPID "
                                ">supervisor; helper grandchild pid TERM'")
                       .start();
    process.wait_for_line("READY");
    ::kill(static_cast<pid_t>(number_after(read_file(work("supervisor")), "")), SIGKILL);
    process.wait_for_err("no /proc: whatever has left the process group of the command cannot be ended");
    process.wait_for_err("cleaning");
    CHECK_FALSE(alive(static_cast<pid_t>(number_after(read_file(work("pid")), "")))); // a zombie may still be there
    release(work("fifo"));
    static_cast<void>(process.finish());
}

TEST_CASE("without a mounted proc orphans of the command's group are killed when asked, and it is said what cannot be" *
          doctest::skip(sanitized)) {
    const auto outcome =
        without_proc("exec finally-run --orphans kill --grace .1 -c 'kill -0 $(cat pid) 2>/dev/null && "
                     "echo alive; echo cleaned' -- helper orphan pid TERM")
            .run();
    CHECK(outcome.status == 0);
    CHECK(has_line(outcome.err, "finally-run: no /proc: whatever has left the process group of the command cannot be "
                                "ended"));
    CHECK(has_line(outcome.err, "cleaned"));
    CHECK_FALSE(has_line(outcome.err, "alive"));
}

} // namespace
} // namespace finally_run::e2e
