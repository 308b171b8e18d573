// A run inside a cleanup of another: it is over before the next cleanup, and nobody waits for the run that he is in.
#include "guard.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

constexpr const char* next_cleanup = "echo next >>log";
constexpr const char* slow_cleanup = "echo begun >>log; read x <fifo; echo inner >>log";

// Of an outer run: an inner one with this cleanup, whose command comes after the pid of its supervisor.
std::string as_cleanup(const std::string& cleanup, const std::string& command = "exec helper pause") {
    return "finally-run --grace 0 -c '" + cleanup + "' -- sh -c 'echo $PPID >pid; " + command + "'";
}

struct Worker {
    pid_t pid;
    Process process;
};

// An outer run with the lock "l", whose cleanups such a worker runs: first that one, then the next.
Worker start_cleanups(const std::string& by, std::vector<std::string> options, const std::string& cleanup) {
    options.insert(options.end(), {"-l", "l", "-c", next_cleanup, "-c", cleanup, "--"});
    if (by == "supervisor") {
        options.emplace_back("true");
        auto process = Run(options).start();
        const pid_t pid = process.pid();
        return {pid, std::move(process)};
    }
    options.insert(options.end(), {"helper", "pause"});
    if (by == "recovery") {
        static_cast<void>(leave_unfinished(Run(options)));
        auto process = Run({"--recover"}).start();
        const pid_t pid = process.pid();
        return {pid, std::move(process)};
    }
    auto process = Run(options).start();
    process.wait_for_line("READY");
    const pid_t guardian = guardian_of(process.pid());
    process.signal(SIGKILL);
    return {guardian, std::move(process)};
}

Outcome finish(Worker& worker) {
    wait_for_end(worker.pid);
    return worker.process.finish();
}

void forget_cleanups() {
    for (const auto& journal : run_files())
        CHECK(Run({"--forget", journal.stem()}).run().status == 0);
    for (const char* const file : {"log", "pid", "leaf"})
        fs::remove(work(file));
}

const std::vector<std::string> workers{"supervisor", "guardian", "recovery"};

TEST_CASE("the guardian of a run in a cleanup is waited for before the next cleanup and with the lock held") {
    make_fifo(work("fifo"));
    for (const std::string& by : workers) {
        for (const std::string after : {"", "; true"}) {
            CAPTURE(by);
            CAPTURE(after);
            auto worker = start_cleanups(by, {}, as_cleanup(slow_cleanup) + after);
            ::kill(pid_in("pid"), SIGKILL);
            wait_for_log("begun");
            CHECK(is_locked(state_dir() / "l"));
            release(work("fifo"));
            finish(worker);
            CHECK(log_text() == "begun\ninner\nnext\n");
            forget_cleanups();
        }
    }
}

std::string id_of(pid_t supervisor) {
    for (const std::string& line : lines(Run({"--status"}).run().out)) {
        if (line.find(" " + std::to_string(supervisor) + " ") != std::string::npos)
            return line.substr(0, line.find(' '));
    }
    return {};
}

// Only SIGKILL ends this one, and so nobody but its guardian cleans up.
std::string stubborn_as_cleanup() { return as_cleanup(slow_cleanup, "exec helper ignore TERM"); }

TEST_CASE("the guardian of a run in a cleanup that took too long is waited for") {
    make_fifo(work("fifo"));
    auto worker = start_cleanups("supervisor", {"--grace", ".1", "--cleanup-timeout", "3"}, stubborn_as_cleanup());
    wait_for_log("begun");
    CHECK(is_locked(state_dir() / "l"));
    release(work("fifo"));
    finish(worker);
    CHECK(log_text() == "begun\ninner\nnext\n");
}

TEST_CASE("the guardian of a run in a cleanup that was stopped is waited for") {
    make_fifo(work("fifo"));
    auto worker = start_cleanups("supervisor", {"--grace", ".1"}, stubborn_as_cleanup());
    worker.process.wait_for_err("READY");
    auto stop = Run({"--stop", id_of(worker.pid)}).start();
    wait_for_log("begun");
    CHECK(is_locked(state_dir() / "l"));
    release(work("fifo"));
    finish(worker);
    CHECK(stop.finish().status == 0);
    CHECK(log_text() == "begun\ninner\nnext\n");
}

TEST_CASE("a run in a cleanup that was stopped ends before the next cleanup when the shell around it does not wait") {
    const std::string inner = as_cleanup("echo begun >>log; sleep .5; echo inner >>log");
    auto process = Run({"-c", next_cleanup, "-c", inner + "; true", "--", "true"}).start();
    const pid_t supervisor = pid_in("pid");
    CHECK(Run({"--stop", id_of(process.pid())}).run().status == 0);
    process.finish();
    CHECK_FALSE(alive(supervisor));
    CHECK(log_text() == "begun\ninner\nnext\n");
}

TEST_CASE("a run in a cleanup of which everybody was killed is recovered before the next cleanup") {
    for (const std::string& by : workers) {
        for (const std::string after : {"", "; true"}) {
            CAPTURE(by);
            CAPTURE(after);
            const std::string inner = as_cleanup("grep -qs \"^State:.[^ZX]\" /proc/$(cat leaf)/status && echo alive "
                                                 ">>log; echo inner >>log",
                                                 "echo $$ >leaf; exec helper pause");
            auto worker = start_cleanups(by, {}, inner + after);
            kill_both(pid_in("pid"));
            const pid_t leaf = pid_in("leaf");
            finish(worker);
            CHECK(log_text() == "inner\nnext\n");
            CHECK_FALSE(alive(leaf));
            CHECK(run_files().size() == 1); // of the outer run, since its cleanup has failed
            forget_cleanups();
        }
    }
}

TEST_CASE("a run that is a service of which everybody was killed is recovered before the next cleanup") {
    make_fifo(work("fifo"));
    const std::string service = as_cleanup("echo inner >>log", "exec helper ignore TERM");
    auto process =
        Run({"--grace", ".1", "-c", next_cleanup, "--service", service, "--", "sh", "-c", "read x <fifo"}).start();
    process.wait_for_err("READY");
    const pid_t inner = pid_in("pid");
    const pid_t guardian = guardian_of(inner);
    ::kill(guardian, SIGSTOP);
    release(work("fifo"));
    wait_for_end(inner); // at the end of the grace period
    ::kill(guardian, SIGKILL);
    CHECK(process.finish().status == 0);
    CHECK(log_text() == "inner\nnext\n");
    CHECK(run_files().empty());
}

TEST_CASE("a run in the last cleanup is over when the outer one is") {
    for (const bool guardian_too : {false, true}) {
        CAPTURE(guardian_too);
        auto process = Run({"-c", as_cleanup("echo inner >>log"), "--", "true"}).start();
        const pid_t inner = pid_in("pid");
        if (guardian_too)
            kill_both(inner);
        else
            ::kill(inner, SIGKILL);
        process.finish();
        CHECK(log_text() == "inner\n");
        CHECK(run_files().size() == 1);
        forget_cleanups();
    }
}

TEST_CASE("a guardian that lets a cleanup end recovers the run in it before it goes on") {
    const std::string once = "test -e again && exit; exec helper pause";
    auto process =
        Run({"-c", next_cleanup, "-c", as_cleanup("echo inner >>log", once) + "; echo ended >>log", "--", "true"})
            .start();
    const pid_t inner = pid_in("pid");
    const pid_t guardian = guardian_of(process.pid());
    process.signal(SIGKILL);
    wait_until_finishing();
    write_file(work("again"), "");
    kill_both(inner);
    wait_for_end(guardian);
    process.finish();
    // It ends well after that, and where the kernel does not tell so it is run again.
    CHECK(log_text().starts_with("ended\ninner\n"));
    CHECK(log_text().ends_with("next\n"));
    CHECK(run_files().empty());
}

TEST_CASE("what has failed in a run in a cleanup is not tried again when that was killed") {
    const std::string cleanup = "finally-run -c 'echo try >>log; false' true; kill -9 $$";
    auto worker = start_cleanups("supervisor", {}, cleanup);
    finish(worker);
    CHECK(log_text() == "try\nnext\n");
}

TEST_CASE("a cleanup that recovers all does not wait for the run that it is in and finishes the others") {
    make_fifo(work("fifo"));
    for (const std::string& by : workers) {
        CAPTURE(by);
        auto worker =
            start_cleanups(by, {}, "echo begun >>log; read x <fifo; finally-run --recover; echo status $? >>log");
        wait_for_log("begun");
        static_cast<void>(leave_unfinished(Run({"-c", "echo other >>log", "--", "helper", "pause"})));
        release(work("fifo"));
        finish(worker);
        CHECK(log_text() == "begun\nother\nstatus 0\nnext\n");
        CHECK(run_files().empty());
        forget_cleanups();
    }
}

TEST_CASE("cleanups of two killed runs that recover all do not wait for each other") {
    const std::string cleanup = "echo begun >>log; until test $(grep -c begun log) = 2; do sleep .01; done; "
                                "finally-run --recover; echo ended >>log";
    const Run run({"-c", cleanup, "--", "helper", "pause"});
    auto one = run.start();
    auto other = run.start();
    one.wait_for_line("READY");
    other.wait_for_line("READY");
    one.signal(SIGKILL);
    other.signal(SIGKILL);
    one.finish();
    other.finish();
    wait_until("both are over", [] { return run_files().empty(); });
    CHECK(log_text() == "begun\nbegun\nended\nended\n");
}

TEST_CASE("a cleanup that recovers the run that it is in is refused") {
    auto process =
        Run({"-c", next_cleanup, "-c", "finally-run --recover $FINALLY_RUN_ID >>log 2>&1; echo status $? >>log", "--",
             "helper", "pause"})
            .start();
    process.wait_for_line("READY");
    const std::string id = only_run_file().stem();
    static_cast<void>(kill_supervisor(process));
    CHECK(log_text() == "finally-run: run " + id +
                            " is not recovered: this cleanup is inside of it and would wait for itself\n"
                            "status 75\nnext\n");
}

TEST_CASE("a cleanup that was let go on when everybody was killed does not recover the run that it is in") {
    make_fifo(work("fifo"));
    auto process =
        Run({"-c", next_cleanup, "-c",
             "echo begun >>log; read x <fifo; finally-run --recover >/dev/null 2>&1; echo $? >>log", "--", "true"})
            .start();
    wait_for_log("begun");
    kill_both(process.pid());
    release(work("fifo"));
    wait_for_log("0\n");
    process.finish();
    CHECK(log_text() == "begun\n0\n");
    CHECK(run_files().size() == 1);
}

TEST_CASE("a cleanup that stops its own run ends at once") {
    const auto outcome = Run({"--grace", "300", "-c", next_cleanup, "-c",
                              "finally-run --stop $FINALLY_RUN_ID; echo never >>log", "--", "true"})
                             .run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err.find("ended by --stop") != std::string::npos);
    CHECK(log_text() == "next\n");
}

TEST_CASE("a cleanup of a run in a cleanup stops the outer one and goes on itself") {
    auto process = Run({"--grace", ".1", "-c", next_cleanup, "-c",
                        R"(finally-run -c "finally-run --stop \$(cat id) >>log 2>&1; echo status \$? >>log" -- true)",
                        "--", "sh", "-c", "echo $FINALLY_RUN_ID >id"})
                       .start();
    process.finish();
    CHECK(log_text().ends_with("would wait for itself\nstatus 75\nnext\n"));
}

TEST_CASE("a cleanup of an inner run stops the outer one and does not wait for its end") {
    auto process = Run({"-c", next_cleanup, "--", "sh", "-c",
                        "exec finally-run -c \"finally-run --stop $FINALLY_RUN_ID >>log 2>&1; echo status \\$? "
                        ">>log\" -- sh -c 'echo $PPID >pid; exec helper pause'"})
                       .start();
    process.wait_for_line("READY");
    ::kill(pid_in("pid"), SIGKILL); // the guardian of that is waited for from here on
    process.finish();
    CHECK(log_text().starts_with("finally-run: run "));
    CHECK(log_text().ends_with(" has been told to stop, and is not waited for: this cleanup is inside of it and would "
                               "wait for itself\nstatus 75\nnext\n"));
}

} // namespace
} // namespace finally_run::e2e
