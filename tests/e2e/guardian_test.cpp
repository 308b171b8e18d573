// kill -9 of finally-run, in each part of a run: its guardian finishes it.
#include "guard.hpp"

#include "support/hardship.hpp"
#include "support/kernel.hpp"

#include <nlohmann/json.hpp>

#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>
#include <utility>

namespace finally_run::e2e {
namespace {

void check_nothing_left() {
    CHECK(run_files().empty());
    CHECK_FALSE((fs::exists(state_dir() / "l") && is_locked(state_dir() / "l")));
    CHECK(leftovers().empty());
}

TEST_CASE("after a kill -9 during the command it is over before the cleanup, which runs once and under the lock") {
    auto process = Run({"-l", "l", "-c", witness, "--", "sh", "-c", "echo $$ >pid; exec helper pause"}).start();
    process.wait_for_line("READY");
    const auto outcome = kill_supervisor(process);
    CHECK(log_text() == "cleaned by guardian after lost\n");
    CHECK(outcome.err == "finally-run: was killed; its guardian ends the command and cleans up: 1 cleanup left\n");
    check_nothing_left();
}

TEST_CASE("after a kill -9 during a setup it is over before the cleanups, and nothing more begins") {
    auto process = Run({"-l", "l", "-c", witness, "-s", "echo $$ >pid; exec helper pause", "-c", "echo later >>log",
                        "--", "touch", "ran"})
                       .start();
    process.wait_for_err("READY");
    kill_supervisor(process);
    CHECK(log_text() == "cleaned by guardian after lost\n");
    CHECK_FALSE(fs::exists(work("ran")));
    check_nothing_left();
}

// A run that is killed during a cleanup, which ends after that; we adopt and reap it.
void outlive(Run run) {
    make_fifo(work("fifo"));
    auto process = std::move(run).start();
    wait_for_log("begun");
    const pid_t guardian = guardian_of(process.pid());
    process.signal(SIGKILL);
    process.wait_for_err("was killed");
    CHECK(log_text() == "first\nbegun\n");
    release(work("fifo"));
    process.finish();
    wait_for_end(guardian);
    check_nothing_left();
}

// It succeeds but for `status` the first time.
Run outlived(int status) {
    return Run({"-l", "l", "-c", witness, "-c",
                "echo begun >>log; test -e pid && exit; echo $$ >pid; read x <fifo; echo ended >>log; exit " +
                    std::to_string(status),
                "-c", "echo first >>log", "--", "true"});
}

constexpr const char* run_once = "first\nbegun\nended\ncleaned by guardian after success\n";
constexpr const char* run_twice = "first\nbegun\nended\nbegun\ncleaned by guardian after success\n";

TEST_CASE("a cleanup that outlives a kill -9 and succeeds is not run again where the kernel tells and the others run") {
    outlive(outlived(0));
    CHECK(log_text() == (test::kernel_tells_exits() ? run_once : run_twice));
}

TEST_CASE("a cleanup that outlives a kill -9 and fails is run again") {
    outlive(outlived(7));
    CHECK(log_text() == run_twice);
}

TEST_CASE("a cleanup that outlives a kill -9 is run again where nothing tells how it ended" *
          doctest::skip(sanitized)) {
    outlive(outlived(0).before_exec([] { test::refuse_system_call(SYS_ioctl, EPERM); }));
    CHECK(log_text() == run_twice);
}

TEST_CASE("after a kill -9 the lock is not free before the last cleanup has ended") {
    make_fifo(work("fifo"));
    auto process = Run({"-l", "l", "-c", waiting, "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    process.signal(SIGKILL);
    wait_for_log("begun");
    auto next = Run({"-l", "l", "--", "cat", "log"}).start();
    wait_for_lock_waiters(state_dir() / "l", 1);
    release(work("fifo"));
    CHECK(next.finish().out == "begun\nended\n");
}

TEST_CASE("after a kill -9 while it waits for a lock nothing runs and nothing is left") {
    auto holder = Run({"-l", "l", "--", "helper", "pause"}).start();
    holder.wait_for_line("READY");
    auto process = Run({"-l", "l", "-c", "echo cleaned >>log", "--", "touch", "ran"}).start();
    wait_for_lock_waiters(state_dir() / "l", 1);
    process.signal(SIGKILL);
    CHECK(process.finish().err.empty());
    holder.signal(SIGTERM);
    holder.finish();
    CHECK(log_text().empty());
    CHECK_FALSE(fs::exists(work("ran")));
    check_nothing_left();
}

TEST_CASE("a step that kills finally-run itself is cleaned up after") {
    constexpr const char* kill = "kill -9 $PPID";
    constexpr const char* kill_once = "echo cleaning >>log; test $FINALLY_RUN_BY = guardian || kill -9 $PPID";
    for (const auto& args : {std::vector<std::string>{"-s", kill, "--", "true"},
                             {"--", "sh", "-c", kill},
                             {"-c", kill_once, "--", "true"}}) {
        std::vector<std::string> words{"-l", "l", "-c", "echo cleaned >>log"};
        words.insert(words.end(), args.begin(), args.end());
        auto process = Run(words).start();
        CHECK(finish_with_guardian(process).signal == SIGKILL);
        CHECK(count(log_text(), "cleaned\n") == 1);
        check_nothing_left();
        fs::remove(work("log"));
    }
}

TEST_CASE("whenever finally-run is killed, what has begun is cleaned up and the rest has not happened") {
    const Run run({"-l", "l", "-c", "echo cleaned >>log", "-s", "echo begun >>log", "--", "true"});
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(run.run().status == 0);
    const auto whole = std::chrono::steady_clock::now() - start;
    fs::remove(work("log"));
    const int trials = tries(40);
    int cleaned = 0;
    for (int i = 0; i < trials; ++i) {
        auto process = run.start();
        std::this_thread::sleep_for(whole * i / trials);
        process.signal(SIGKILL);
        finish_with_guardian(process);
        const std::string log = log_text();
        const bool well = log.empty() || log == "begun\ncleaned\n" || log == "cleaned\n" ||
                          log == "begun\ncleaned\ncleaned\n" || log == "cleaned\ncleaned\n";
        CHECK_MESSAGE(well, log);
        cleaned += log.empty() ? 0 : 1;
        check_nothing_left();
        fs::remove(work("log"));
    }
    CHECK(cleaned > 0);
}

TEST_CASE("what the guardian's cleanups print goes to stderr, and to the log of the run when nobody reads that") {
    auto heard = Run({"-c", "echo noise", "--", "helper", "pause"}).start();
    heard.wait_for_line("READY");
    CHECK(has_line(kill_supervisor(heard).err, "noise"));
    auto unheard = Run({"-c", "seq 100000 && echo cleaned >>log; exit 3", "--", "helper", "pause"}).start();
    unheard.wait_for_line("READY");
    unheard.close_err();
    kill_supervisor(unheard);
    CHECK(log_text() == "cleaned\n");
    REQUIRE(run_files().size() == 2);
    const fs::path log = run_files().back();
    CHECK(log.extension() == ".log");
    CHECK(has_line(read_file(log), "100000"));
    for (const auto& path : run_files())
        fs::remove(path);
    auto well = Run({"-c", "seq 100000", "--", "helper", "pause"}).start();
    well.wait_for_line("READY");
    well.close_err();
    kill_supervisor(well);
    CHECK(run_files().empty());
    for (const auto& entry : fs::directory_iterator(state_dir() / ".ended")) {
        if (entry.path().extension() == ".log")
            CHECK(has_line(read_file(entry.path()), "100000"));
    }
}

TEST_CASE("the report of a killed run is written by its guardian") {
    auto process = Run({"--report", "report", "-c", "true", "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    kill_supervisor(process);
    const auto report = nlohmann::json::parse(read_file(work("report")));
    CHECK(report.at("result") == "lost");
    CHECK(report.at("cleanups").size() == 1);
}

TEST_CASE(
    "the guardian's cleanups run where finally-run was started, with the variables of its temporary directories") {
    auto process = Run({"-c", "pwd >>log", "--temp-dir", "T", "-c", R"(test -d "$T" && echo "$T" >>log)", "-r",
                        "relative", "--", "sh", "-c", "mkdir relative; cd /; exec helper pause"})
                       .start();
    process.wait_for_line("READY");
    kill_supervisor(process);
    const auto said = lines(log_text());
    REQUIRE(said.size() == 2);
    CHECK(said.at(0).find("finally-run.") != std::string::npos);
    CHECK_FALSE(fs::exists(said.at(0)));
    CHECK(said.at(1) == work().string());
    CHECK_FALSE(fs::exists(work("relative")));
}

TEST_CASE("the guardian runs the cleanups for a failure and not those for a success") {
    auto process =
        Run({"--on-success", "echo success >>log", "--on-failure", "echo failure >>log", "--", "helper", "pause"})
            .start();
    process.wait_for_line("READY");
    kill_supervisor(process);
    CHECK(log_text() == "failure\n");
}

} // namespace
} // namespace finally_run::e2e
