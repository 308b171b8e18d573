// A run inside a run: its cleanups come first, whoever runs them.
#include "guard.hpp"

#include "journal/file.hpp"

#include <algorithm>
#include <csignal>

namespace finally_run::e2e {
namespace {

constexpr const char* inner_cleanup = "echo begun >>log; read x <fifo; echo inner >>log";
constexpr const char* outer_cleanup = "echo outer >>log";

// An inner run whose supervisor is killed, and that ends once its guardian is at work.
std::string killed_inside() {
    return "finally-run -c '" + std::string(inner_cleanup) +
           "' -- sh -c 'echo $PPID >pid; exec helper pause' >/dev/null & until test -s pid; do sleep .01; done; "
           "kill -9 $(cat pid); until test -s log; do sleep .01; done";
}

// An outer run that kills an inner one which waits for ever for its command; the command is READY.
Process start_around_stubborn() {
    auto process = Run({"--grace", ".1", "-c", outer_cleanup, "--", "finally-run", "--grace", "0", "-c", inner_cleanup,
                        "--", "helper", "ignore", "TERM"})
                       .start();
    process.wait_for_line("READY");
    return process;
}

TEST_CASE("an outer run that kills an inner one cleans up after the guardian of that") {
    make_fifo(work("fifo"));
    auto process = start_around_stubborn();
    process.signal(SIGTERM);
    wait_for_log("begun");
    release(work("fifo"));
    CHECK(process.finish().status == 128 + SIGKILL); // which has ended the inner run
    CHECK(log_text() == "begun\ninner\nouter\n");
    CHECK(leftovers().empty());
}

TEST_CASE("an inner run whose guardian cleans up is waited for when the command has ended by itself") {
    make_fifo(work("fifo"));
    for (const char* orphans : {"leave", "wait", "kill"}) {
        CAPTURE(std::string(orphans));
        auto process =
            Run({"--orphans", orphans, "--grace", ".1", "-c", outer_cleanup, "--", "sh", "-c", killed_inside()})
                .start();
        wait_for_log("begun");
        const pid_t inner = pid_in("pid");
        wait_for_end(inner);
        release(work("fifo"));
        CHECK(process.finish().status == 0);
        CHECK(log_text() == "begun\ninner\nouter\n");
        fs::remove(work("log"));
        fs::remove(work("pid"));
    }
    CHECK(leftovers().empty());
}

TEST_CASE("an outer run that kills orphans does not kill the cleanup of an inner run's guardian") {
    make_fifo(work("fifo"));
    const std::string deaf = "setsid sh -c 'trap \"\" TERM; echo $$ >deaf; exec sleep 300' & until test -s deaf; do "
                             "sleep .01; done; ";
    auto process =
        Run({"--orphans", "kill", "--grace", ".1", "-c", outer_cleanup, "--", "sh", "-c", deaf + killed_inside()})
            .start();
    wait_for_log("begun");
    wait_for_end(pid_in("deaf")); // by KILL: each orphan has been told by TERM before
    release(work("fifo"));
    CHECK(process.finish().status == 0);
    CHECK(log_text() == "begun\ninner\nouter\n");
    CHECK(run_files().empty());
}

TEST_CASE("an outer run that kills orphans lets the cleanup of an inner run end, and not what an ended run has left") {
    make_fifo(work("fifo"));
    // The third run is over, and a daemon of its cleanup is left.
    const std::string daemon = "setsid sh -c \"echo \\$\\$ >daemon; exec sleep 300\" >/dev/null 2>&1 & until test -s "
                               "daemon; do sleep .01; done";
    const std::string command = "\"$1\" -c '" + daemon +
                                "' true; \"$1\" -c 'echo begun >>log; read x <fifo && echo "
                                "inner >>log' true & until grep -q begun log; do sleep .01; done";
    auto process =
        Run({"--orphans", "kill", "-c", outer_cleanup, "--", "sh", "-c", command, "sh", FINALLY_RUN_BINARY}).start();
    wait_for_log("begun");
    wait_for_end(pid_in("daemon")); // each orphan has been told by then
    release(work("fifo"));
    CHECK(process.finish().status == 0);
    CHECK(log_text() == "begun\ninner\nouter\n");
    CHECK(run_files().empty());
}

TEST_CASE("the guardian of an outer run cleans up after that of an inner one") {
    make_fifo(work("fifo"));
    auto process = start_around_stubborn();
    const pid_t guardian = guardian_of(process.pid());
    process.signal(SIGKILL);
    wait_for_log("begun");
    release(work("fifo"));
    wait_for_end(guardian);
    CHECK(log_text() == "begun\ninner\nouter\n");
}

// Says in the log if the process in the file "leaf" still lives.
constexpr const char* inner_witness =
    "grep -qs '^State:.[^ZX]' /proc/$(cat leaf)/status && echo alive >>log; echo inner >>log";

// A run with the lock "l", and one inside it that has none: its supervisor is in the file "pid", its command in "leaf".
Process start_nested(bool below_shell) {
    const std::string command = "echo $PPID >pid; echo $$ >leaf; exec helper pause";
    std::vector<std::string> words{"-l", "l", "-c", outer_cleanup, "--"};
    const std::vector<std::string> inner{"finally-run", "-c", inner_witness, "--", "sh", "-c", command};
    if (below_shell)
        words.insert(words.end(), {"sh", "-c", "\"$@\"; true", "sh"});
    words.insert(words.end(), inner.begin(), inner.end());
    auto process = Run(words).start();
    process.wait_for_line("READY");
    return process;
}

void forget_log() {
    for (const char* const file : {"log", "pid", "leaf"})
        fs::remove(work(file));
}

// Everybody of both is killed, and the inner run has an older id than the outer one, whose id is returned.
std::string leave_both() {
    auto process = start_nested(false);
    const pid_t inner = pid_in("pid");
    static_cast<void>(kill_both(process));
    kill_both(inner);
    wait_for_end(inner);
    const auto is_inner = [&](const fs::path& journal) {
        return journal::File::open_to_read(journal).read_opened()->supervisor.pid == inner;
    };
    const auto files = run_files();
    const auto left = std::find_if(files.begin(), files.end(), is_inner);
    REQUIRE(left != files.end());
    const std::string id = "20200101T000000-00000001"; // both may be of the same second
    edit_journal(*left, [&](journal::Record& record) {
        if (auto* const opened = std::get_if<journal::Opened>(&record))
            opened->run_id = id;
    });
    fs::rename(*left, runs_dir() / (id + ".journal"));
    const auto is_outer = [&](const fs::path& journal) { return journal != *left; };
    return std::find_if(files.begin(), files.end(), is_outer)->stem().native();
}

TEST_CASE("whoever finishes two runs that were killed does so from the inside out") {
    const std::string outer = "the outer run";
    const std::vector<std::vector<std::string>> finishers{
        {"--recover"}, {"--recover", outer}, {"-l", "l", "--", "true"}};
    for (auto finisher : finishers) {
        CAPTURE(finisher);
        const std::string id = leave_both();
        std::replace(finisher.begin(), finisher.end(), outer, id);
        CHECK(Run(finisher).run().status == 0);
        CHECK(log_text() == "inner\nouter\n");
        CHECK(run_files().empty());
        forget_log();
    }
}

TEST_CASE("an inner run of which everybody was killed is finished before the cleanups of the outer one") {
    for (const bool below_shell : {false, true}) {
        CAPTURE(below_shell);
        auto process = start_nested(below_shell);
        kill_both(pid_in("pid"));
        const auto outcome = process.finish();
        CHECK(outcome.status == (below_shell ? 0 : 128 + SIGKILL));
        CHECK(outcome.err.find("recovering run ") != std::string::npos);
        CHECK(log_text() == "inner\nouter\n");
        CHECK(run_files().empty());
        forget_log();
    }
}

TEST_CASE("while an inner run is recovered what the services of the outer one print is passed on") {
    make_fifo(work("go"));
    make_fifo(work("done"));
    // More than a pipe holds.
    const std::string service = R"(read x <go; head -c 200000 /dev/zero | tr '\0' x; echo >done; exec sleep 60)";
    const std::string inner = "finally-run -c 'echo >go; read x <done; echo inner >>log' -- ";
    auto process = Run({"--service", service, "-c", outer_cleanup, "--", "sh", "-c",
                        inner + "sh -c 'echo $PPID >pid; exec helper pause'; true"})
                       .start();
    process.wait_for_line("READY");
    kill_both(pid_in("pid"));
    CHECK(process.finish().err.find("xxx") != std::string::npos);
    CHECK(log_text() == "inner\nouter\n");
}

TEST_CASE("what has failed in an inner run is not tried again with the cleanups of the outer one") {
    const std::string inner = "finally-run -c 'echo try >>log; false' true; ";
    CHECK(Run({"-c", outer_cleanup, "--", "sh", "-c", inner + "kill -9 $$"}).run().status == 128 + SIGKILL);
    CHECK(log_text() == "try\nouter\n");
    auto process = Run({"-c", outer_cleanup, "--", "sh", "-c", inner + "exec helper pause"}).start();
    process.wait_for_line("READY");
    static_cast<void>(kill_supervisor(process));
    CHECK(log_text() == "try\nouter\ntry\nouter\n");
}

TEST_CASE("the guardian of an outer run finishes an inner one of which everybody was killed") {
    for (const bool below_shell : {false, true}) {
        CAPTURE(below_shell);
        auto process = start_nested(below_shell);
        const pid_t guardian = guardian_of(process.pid());
        ::kill(guardian, SIGSTOP); // it does not begin before the others are gone
        kill_both(pid_in("pid"));
        process.signal(SIGKILL);
        ::kill(guardian, SIGCONT);
        wait_for_end(guardian);
        CHECK(log_text() == "inner\nouter\n");
        CHECK(run_files().empty());
        forget_log();
    }
}

TEST_CASE("a process with the name of a guardian is one like any other") {
    fs::create_symlink(FINALLY_RUN_HELPER, work("finally-guard"));
    const auto outcome = Run({"--orphans", "kill", "--grace", ".1", "-c", "kill -0 $(cat pid) 2>&1; true", "--", "sh",
                              "-c", "./finally-guard orphan pid TERM"})
                             .run();
    CHECK(outcome.status == 0);
    CHECK_FALSE(alive(pid_in("pid")));
}

} // namespace
} // namespace finally_run::e2e
