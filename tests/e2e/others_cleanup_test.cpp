// Waiting for a cleanup that somebody else is at: it can be seen, left and limited.
#include "guard.hpp"

#include "journal/file.hpp"
#include "journal/state.hpp"

#include <nlohmann/json.hpp>

#include <sys/file.h>

#include <csignal>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

namespace finally_run::e2e {
namespace {

// A run whose guardian is at a cleanup that does not end by itself.
class Hanging {
public:
    Hanging()
        : m_process(Run({"-l", "d", "-c", "echo other >>log", "-c", "echo begun >>log; exec sleep 1000", "--", "helper",
                         "pause"})
                        .start()) {
        m_process.wait_for_line("READY");
        m_guardian = guardian_of(m_process.pid());
        m_process.signal(SIGKILL);
        wait_for_log("begun");
    }
    [[nodiscard]] pid_t guardian() const { return m_guardian; }
    [[nodiscard]] static nlohmann::json status() {
        return nlohmann::json::parse(Run({"--status", "--json"}).run().out).at("runs").at(0);
    }
    Outcome finish() {
        wait_for_end(m_guardian);
        return m_process.finish();
    }

private:
    Process m_process;
    pid_t m_guardian = 0;
};

// The lock of a journal, as somebody has it who finishes the run.
class Finishing {
public:
    explicit Finishing(const fs::path& journal) : m_fd(::open(journal.c_str(), O_RDWR | O_CLOEXEC)) {
        REQUIRE(::flock(m_fd, LOCK_EX | LOCK_NB) == 0);
    }
    Finishing(const Finishing&) = delete;
    Finishing& operator=(const Finishing&) = delete;
    ~Finishing() { ::close(m_fd); }

private:
    int m_fd;
};

TEST_CASE("a cleanup that hangs under the guardian is seen with its pid, and nobody has to wait for it") {
    Hanging run;
    const auto seen = Hanging::status();
    CHECK(seen.at("state") == "finishing");
    CHECK(seen.at("pid") == run.guardian());
    CHECK(seen.at("current").at("text") == "echo begun >>log; exec sleep 1000");
    const auto pid = seen.at("step_pid").get<pid_t>();
    CHECK(alive(pid));
    const auto locked = Run({"-l", "d", "-n", "--", "true"}).run();
    CHECK(locked.status == 75);
    CHECK(locked.err.find("cleaning up") != std::string::npos);
    const auto refused = Run({"--recover", "--no-wait"}).run();
    CHECK(refused.status == 75);
    CHECK(refused.err.find("pid " + std::to_string(run.guardian()) + " is still cleaning up") != std::string::npos);
    CHECK(Run({"--recover", "--wait", ".05"}).run().status == 75);
    auto recovery = Run({"--recover"}).start();
    wait_for_lock_waiters(only_run_file(), 1);
    recovery.signal(SIGTERM);
    CHECK(recovery.finish().signal == SIGTERM);
    CHECK(alive(pid));
    ::kill(pid, SIGKILL);
    run.finish();
    CHECK(log_text() == "begun\nother\n");
}

TEST_CASE("stop ends the cleanup that hangs under the guardian, and the others run") {
    Hanging run;
    const std::string id = Hanging::status().at("id");
    const auto pid = Hanging::status().at("step_pid").get<pid_t>();
    CHECK(Run({"--stop", id}).run().status == 0);
    CHECK_FALSE(alive(pid));
    run.finish();
    CHECK(log_text() == "begun\nother\n");
    const auto left = Hanging::status();
    CHECK(left.at("state") == "failed");
    CHECK(left.at("failed").at(0).at("error") == "ended by --stop");
}

TEST_CASE("a cleanup that is a run whose own cleanup hangs is ended too when the outer run is stopped") {
    for (const std::string kill : {"", "kill -9 $PPID; "}) {
        CAPTURE(kill);
        fs::remove(work("log"));
        auto process = Run({"--grace", ".1", "-c", "echo other >>log", "-c",
                            "finally-run --grace .1 -c 'echo inner >>log' -c 'echo begun >>log; exec sleep 1000' -- "
                            "sh -c '" +
                                kill + "exit 0'",
                            "--", "sh", "-c", "echo $FINALLY_RUN_ID >id"})
                           .start();
        wait_for_log("begun");
        const std::string id = lines(read_file(work("id"))).at(0);
        CHECK(Run({"--stop", id}).run().status == 0);
        process.finish();
        CHECK(log_text() == "begun\ninner\nother\n");
        Run({"--forget", id}).run();
    }
}

TEST_CASE("a cleanup that ignores TERM is killed after the grace period when its run is stopped, with its children") {
    auto process =
        Run({"-k", ".1", "-c", "echo other >>log", "-c",
             "trap '' TERM; sleep 1000 & echo $! >pid; echo begun >>log; while :; do wait; done", "--", "true"})
            .start();
    wait_for_log("begun");
    const pid_t child = pid_in("pid");
    CHECK(Run({"--stop", only_run_file().stem()}).run().status == 0);
    CHECK(process.finish().status == 0);
    wait_for_end(child);
    CHECK(log_text() == "begun\nother\n");
    CHECK(Hanging::status().at("failed").at(0).at("error") == "ended by --stop");
    CHECK(Hanging::status().at("failed").at(0).at("signal") == "KILL");
}

void wait_for_stop_asked() {
    wait_until("the stop is written down",
               [] { return read_file(only_run_file()).find(" stop-asked ") != std::string::npos; });
}

TEST_CASE("a cleanup that is stopped is not tried again whatever retries are left and the others are let run") {
    const std::string ends_later = "trap 'while test ! -e go; do sleep .01; done; exit 1' TERM; echo begun >>log; "
                                   "while :; do sleep .01; done";
    auto process = Run({"--cleanup-retries", "4", "-c", "echo other >>log", "-c", ends_later, "--", "true"}).start();
    wait_for_log("begun");
    CHECK(Run({"--stop", "--wait", "1ms", only_run_file().stem()}).run().status == 75); // it is told once
    write_file(work("go"), "");
    CHECK(process.finish().err.find(": ended by --stop: finally-run --recover ") != std::string::npos);
    CHECK(log_text() == "begun\nother\n");
    CHECK(Hanging::status().at("failed").at(0).at("attempts") == 1);
}

TEST_CASE("a cleanup that waits for its next try is not tried again when its run is stopped") {
    auto process =
        Run({"--cleanup-retries", "1000", "-c", "echo other >>log", "-c", "echo begun >>log; false", "--", "true"})
            .start();
    process.wait_for_err("try 6 of 1001 in ");
    CHECK(Run({"--stop", only_run_file().stem()}).run().status == 0);
    process.finish();
    CHECK(log_text().ends_with("other\n"));
    CHECK(Hanging::status().at("failed").at(0).at("error") == "ended by --stop");
}

TEST_CASE("that a cleanup is stopped outlives who asked for it and whoever was at it") {
    for (const std::string by : {"supervisor", "guardian", "recovery"}) {
        CAPTURE(by);
        make_fifo(work(by));
        auto process = Run({"--cleanup-retries", "4", "-c", "echo other >>log", "-c",
                            "echo begun >>log; read x <" + by + "; echo ended >>log", "--", "true"})
                           .start();
        wait_for_log("begun");
        const auto path = only_run_file();
        auto file = journal::File::open(path);
        journal::State state;
        state.apply(file.read());
        file.append(
            journal::StopAsked{state.cleaning.value().cleanup}); // and the asker is gone before it has signalled
        Outcome said;
        if (by == "supervisor") {
            release(work(by));
            said = process.finish();
        } else if (by == "guardian") {
            const pid_t guardian = guardian_of(process.pid());
            process.signal(SIGKILL);
            wait_for_end(process.pid());
            release(work(by));
            wait_for_end(guardian);
            said = process.finish();
        } else {
            kill_both(process.pid());
            release(work(by));
            wait_for_log("ended");
            said = Run({"--recover"}).run();
            CHECK(said.status == 120);
        }
        CHECK_MESSAGE(said.err.find(": ended by --stop: finally-run --recover ") != std::string::npos, said.err);
        CHECK(log_text() == "begun\nended\nother\n");
        const auto left = Hanging::status();
        CHECK(left.at("state") == "failed");
        CHECK(left.at("failed").at(0).at("by") == by);
        auto anew = Run({"--recover"}).start(); // asked for anew it is tried
        release(work(by));
        CHECK(anew.finish().status == 0);
        CHECK(count(log_text(), "begun") == 2);
        fs::remove(work("log"));
    }
}

TEST_CASE("two that stop one run at once and one that comes too late are all told that it is over") {
    Hanging run;
    const std::string id = Hanging::status().at("id");
    auto one = Run({"--stop", id}).start();
    auto other = Run({"--stop", id}).start();
    for (auto* const stop : {&one, &other}) {
        const auto outcome = stop->finish();
        CHECK_MESSAGE(outcome.status == 0, outcome.err);
    }
    run.finish();
    const auto late = Run({"--stop", id}).run();
    CHECK(late.status == 0);
    CHECK(late.err == "finally-run: run " + id +
                          " is over and has failed to clean up: echo begun >>log; exec sleep 1000: ended by --stop: "
                          "finally-run --recover " +
                          id + " tries again, --forget " + id + " drops it\n");
    CHECK(Run({"--stop", "-q", id}).run().err.empty());
}

TEST_CASE("stop says if whoever worked on the run has died under it") {
    auto process =
        Run({"-k", "0", "-c", "trap '' TERM; echo begun >>log; while :; do sleep 1000; done", "--", "true"}).start();
    wait_for_log("begun");
    const std::string id = only_run_file().stem();
    auto stop = Run({"--stop", id}).start();
    wait_for_stop_asked();
    kill_both(process);
    const auto outcome = stop.finish();
    CHECK(outcome.status == 125);
    CHECK(outcome.err.find("finally-run: run " + id + " is not alive: its cleanup still runs, pid ") == 0);
    CHECK(outcome.err.find(": finally-run --recover " + id + " waits for its end and goes on\n") != std::string::npos);
}

TEST_CASE("stop tells the command of a live run to stop as TERM does, and waits for its cleanups") {
    auto process = Run({"-c", "echo down $FINALLY_RUN_RESULT >>log", "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    const std::string id = only_run_file().stem();
    CHECK(Run({"--stop", id}).run().status == 0);
    CHECK(log_text() == "down stopped\n");
    CHECK(process.finish().signal == SIGTERM);
    CHECK(Run({"--stop", id}).run().status == 125);
}

TEST_CASE("of what nobody works on it is shown and said what still runs") {
    for (const bool in_service : {false, true}) {
        CAPTURE(in_service);
        const std::vector<std::string> words =
            in_service ? std::vector<std::string>{"--service", "echo $$ >pid; exec helper pause",
                                                  "--ready",   "test -s pid",
                                                  "--",        "sh",
                                                  "-c",        "exec helper pause"}
                       : std::vector<std::string>{"--", "sh", "-c", "echo $$ >pid; exec helper pause"};
        auto process = Run(words).start();
        const auto command = static_cast<pid_t>(number_after(process.wait_for_line("READY "), "READY "));
        const std::string pid = std::to_string(pid_in("pid"));
        const std::string id = only_run_file().stem();
        const std::string what = in_service ? "service" : "command";
        kill_both(process.pid());
        if (in_service) {
            ::kill(command, SIGKILL);
            wait_for_end(command);
        }
        const auto status = Run({"--status"}).run().out;
        CHECK(status.find(", still running (pid " + pid + ", ") != std::string::npos);
        CHECK(status.find("\n  now      " + what) != std::string::npos);
        const auto json = nlohmann::json::parse(Run({"--status", "--json"}).run().out);
        CHECK(std::to_string(json["runs"][0]["step_pid"].get<int>()) == pid);
        CHECK(Run({"--stop", id}).run().err == "finally-run: run " + id + " is not alive: its " + what +
                                                   " still runs, pid " + pid + ": finally-run --recover " + id +
                                                   " ends it and cleans up\n");
        CHECK(Run({"--recover", id}).run().status == 0);
        CHECK_FALSE(alive(pid_in("pid")));
        fs::remove(work("pid"));
    }
}

TEST_CASE("what nobody works on cannot be stopped") {
    const auto left = leave_unfinished(Run({"-c", "echo down >>log", "--", "helper", "pause"}));
    const auto refused = Run({"--stop", left.id}).run();
    CHECK(refused.status == 125);
    CHECK(refused.err ==
          "finally-run: run " + left.id + " is not alive: finally-run --recover " + left.id + " finishes it\n");
    CHECK(log_text().empty());
}

TEST_CASE("a next holder that waits for the rest of its last one heeds its limit and a stop signal") {
    const auto left = leave_unfinished(Run({"-l", "d", "-c", "echo down >>log", "--", "helper", "pause"}));
    {
        const Finishing somebody(left.journal);
        const auto refused = Run({"-l", "d", "-n", "-c", "echo never >>log", "--", "true"}).run();
        CHECK(refused.status == 75);
        CHECK(refused.err == "finally-run: lock: d: its last holder is still cleaning up, run " + left.id + "\n");
        CHECK(Run({"-l", "d", "-w", ".05", "-E", "9", "--", "true"}).run().status == 9);
        auto next = Run({"-l", "d", "-c", "echo never >>log", "--", "true"}).start();
        wait_for_lock_waiters(left.journal, 1);
        next.signal(SIGINT);
        CHECK(next.finish().signal == SIGINT);
    }
    CHECK(Run({"-l", "d", "-n", "--", "true"}).run().status == 0);
    CHECK(log_text() == "down\n");
}

TEST_CASE("who shares the lock with a failed run that is just ending waits for its end and tries again what failed") {
    Run({"--lock-shared", "d", "-c", "echo fails >>log; exit 7", "--", "true"}).run();
    std::optional<Finishing> somebody(std::in_place, only_run_file());
    auto next = Run({"--lock-shared", "d", "--", "true"}).start();
    wait_for_lock_waiters(only_run_file(), 1);
    somebody.reset();
    CHECK(next.finish().err.find("recovering run ") != std::string::npos);
    CHECK(log_text() == "fails\nfails\n");
}

} // namespace
} // namespace finally_run::e2e
