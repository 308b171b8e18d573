#include "cleanup/executor.hpp"

#include "../os/child.hpp"
#include "../sample_stack.hpp"
#include "os/process.hpp"
#include "support/forked.hpp"
#include "support/hardship.hpp"
#include "support/temp_dir.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <utility>
#include <vector>

using namespace finally_run;
using namespace std::chrono_literals;
using cleanup::Cleanup;
using Kind = cleanup::Cleanup::Kind;

namespace {

// Runs cleanups in a directory of their own and keeps what the observer hears.
class Bench : public cleanup::Observer {
public:
    Bench() : m_stack(test::sample_stack(m_dir.path())), m_output(m_dir / "run.log"), m_events(test::signals(), {}) {
        ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    }

    void push(Kind kind, std::string text) { m_stack.push({.kind = kind, .text = std::move(text)}); }
    std::size_t run(plan::Result result = plan::Result::success) {
        const auto on_signal = [this](const Cleanup& /*cleanup*/, const os::Signal& signal) {
            m_signals.push_back(signal.number);
            ::close(std::exchange(m_reader, -1));
        };
        return cleanup::run_all({m_stack, m_output, m_events, *this, on_signal}, result, m_settings);
    }

    [[nodiscard]] Cleanup top() { return m_stack.top().value(); }
    void record(const journal::Record& record) { m_stack.record(record); }

    void begin(const Cleanup& cleanup) override {
        m_order += cleanup.text + "\n";
        if (cleanup.text == m_deferring)
            push(Kind::command, "true deferred");
    }
    void end(const Cleanup&, const cleanup::Outcome& outcome, text::Duration) override {
        m_outcomes.push_back(outcome);
    }
    void retrying(const Cleanup& cleanup, const cleanup::Outcome& outcome, unsigned, text::Duration) override {
        m_retried.push_back(outcome.attempts);
        if (m_stopped_in_pause)
            record(journal::StopAsked{cleanup.id});
    }
    void noticed(const supervise::Notice&) override {}
    void moved(const Cleanup&, std::string_view reason) override { m_moved = reason; }

    [[nodiscard]] std::string file(std::string_view name) const { return m_dir / name; }
    [[nodiscard]] cleanup::Output& output() { return m_output; }
    [[nodiscard]] cleanup::Stack& stack() { return m_stack; }

    cleanup::Settings m_settings{{std::nullopt, 100ms}, 0, environ};
    std::string m_deferring;
    std::string m_order;
    std::vector<cleanup::Outcome> m_outcomes;
    std::vector<unsigned> m_retried;
    bool m_stopped_in_pause = false; // between its first try and the second
    std::vector<int> m_signals;
    std::string m_moved;
    int m_reader = -1; // closed at the first signal

private:
    test::TempDir m_dir;
    cleanup::Stack m_stack;
    cleanup::Output m_output;
    os::Events m_events;
};

} // namespace

TEST_CASE("cleanups run last in first out, each whatever became of the one before") {
    Bench bench;
    bench.push(Kind::command, "true 1");
    bench.push(Kind::command, "false && :");
    bench.push(Kind::command, "/nonexistent/program");
    bench.push(Kind::command, "kill -9 $$");
    CHECK(bench.run() == 3);
    CHECK(bench.m_order == "kill -9 $$\n/nonexistent/program\nfalse && :\ntrue 1\n");
    CHECK(bench.m_outcomes[0].error == "killed by KILL");
    CHECK(bench.m_outcomes[0].exit_code == 137);
    CHECK(bench.m_outcomes[1].error == "cannot be started: No such file or directory");
    CHECK(bench.m_outcomes[1].exit_code == 127);
    CHECK(bench.m_outcomes[2].error == "exit status 1");
    CHECK(bench.m_outcomes[3].error.empty());
}

TEST_CASE("on-success and on-failure run for their outcome alone") {
    for (const auto result : {plan::Result::success, plan::Result::stopped, plan::Result::setup_failed}) {
        Bench bench;
        bench.push(Kind::on_success, "true success");
        bench.push(Kind::on_failure, "true failure");
        CHECK(bench.run(result) == 0);
        CHECK(bench.m_order == (result == plan::Result::success ? "true success\n" : "true failure\n"));
    }
}

TEST_CASE("a cleanup that is registered during the cleanups runs next") {
    Bench bench;
    bench.m_deferring = "true last";
    bench.push(Kind::command, "true first");
    bench.push(Kind::command, "true last");
    CHECK(bench.run() == 0);
    CHECK(bench.m_order == "true last\ntrue deferred\ntrue first\n");
}

TEST_CASE("a failed cleanup is tried again as often as asked for, and no more once it succeeds") {
    Bench bench;
    bench.m_settings.retries = 3;
    bench.push(Kind::command, "echo x >>" + bench.file("log") + "; test $(wc -l <" + bench.file("log") + ") = 2");
    CHECK(bench.run() == 0);
    CHECK(bench.m_outcomes[0].attempts == 2);
    bench.m_settings.retries = 1;
    bench.push(Kind::command, "exit 3");
    CHECK(bench.run() == 1);
    CHECK(bench.m_outcomes[1].attempts == 2);
    CHECK(bench.m_outcomes[1].exit_code == 3);
    CHECK(bench.m_retried == std::vector<unsigned>{1, 1});
}

TEST_CASE("a cleanup that outlives its time limit is stopped, with all that it started, even if it ignores TERM") {
    Bench bench;
    bench.m_settings.limits.limit = 1s; // enough for the shell to come to its sleep
    bench.push(Kind::command, "trap '' TERM; sleep 1000 & echo $! >" + bench.file("pid") + "; sleep 1000; sleep 1000");
    CHECK(bench.run() == 1);
    CHECK(bench.m_outcomes[0].error == "stopped: it took longer than --cleanup-timeout");
    CHECK(bench.m_outcomes[0].signal == SIGKILL);
    const pid_t background = std::stoi(test::read_file(bench.file("pid")));
    os::reap_all();
    CHECK(::kill(background, 0) == -1);
}

TEST_CASE("a cleanup that leaves a process behind has failed, and the process lives") {
    Bench bench;
    bench.push(Kind::command, "sleep 1000 & echo $! >" + bench.file("pid"));
    CHECK(bench.run() == 1);
    CHECK(bench.m_outcomes[0].error.starts_with("left a process running: sleep (pid "));
    const pid_t left = std::stoi(test::read_file(bench.file("pid")));
    CHECK(::kill(left, SIGKILL) == 0);
}

TEST_CASE("a daemon that a cleanup starts in a session of its own is left alone") {
    Bench bench;
    // setsid(1) forks here, because its caller leads a group.
    bench.push(Kind::command, "exec setsid sh -c 'echo $$ >" + bench.file("pid") + "; exec sleep 1000'");
    CHECK(bench.run() == 0);
    while (test::read_file(bench.file("pid")).find('\n') == std::string::npos) {
    }
    CHECK(::kill(std::stoi(test::read_file(bench.file("pid"))), SIGKILL) == 0);
}

TEST_CASE("a signal during a cleanup is told and aborts nothing") {
    Bench bench;
    bench.push(Kind::command, "kill -INT " + std::to_string(::getpid()) + "; echo done >" + bench.file("log"));
    CHECK(bench.run() == 0);
    CHECK(bench.m_signals == std::vector<int>{SIGINT});
    CHECK(test::read_file(bench.file("log")) == "done\n");
}

TEST_CASE("a path is removed without a program, and what stands in the way is the reason of a failure") {
    Bench bench;
    std::filesystem::create_directories(bench.file("tree/sub"));
    bench.push(Kind::remove, bench.file("tree"));
    bench.push(Kind::remove, bench.file("missing"));
    bench.push(Kind::remove, "/proc/self/status");
    CHECK(bench.run() == 1);
    CHECK_FALSE(std::filesystem::exists(bench.file("tree")));
    CHECK_FALSE(bench.m_outcomes[0].error.empty());
    CHECK_FALSE(bench.m_outcomes[0].exit_code.has_value());
}

TEST_CASE("the process that removes a path is on record like that of any cleanup") {
    Bench bench;
    std::filesystem::create_directories(bench.file("tree"));
    bench.push(Kind::remove, bench.file("tree"));
    REQUIRE(bench.run() == 0);
    CHECK(test::read_file(bench.stack().file().path()).find(" started cleanup ") != std::string::npos);
}

TEST_CASE("at its end a path to be removed is refused if it has become the home or the state directory's") {
    Bench bench;
    std::filesystem::create_directories(bench.file("home/me"));
    const std::string home = "HOME=" + bench.file("home");
    const std::array<const char*, 2> env{home.c_str(), nullptr};
    bench.m_settings.env = env.data();
    bench.push(Kind::remove, bench.file("home"));
    bench.push(Kind::remove, bench.stack().file().path());
    CHECK(bench.run() == 2);
    CHECK(bench.m_outcomes[0].error == "lies in the state directory");
    CHECK(bench.m_outcomes[1].error == "is the home directory");
    CHECK(std::filesystem::exists(bench.file("home/me")));
}

TEST_CASE("a cleanup has stdin from /dev/null, a session of its own, and no blocked or ignored signal") {
    ::signal(SIGINT, SIG_IGN);
    Bench bench;
    bench.push(Kind::command, "readlink /proc/self/fd/0 >" + bench.file("stdin") +
                                  "; read -r stat </proc/$$/stat; rest=${stat##*) }; set -- $rest; test $4 = $$");
    bench.push(Kind::command, "grep -qx SigBlk:.0000000000000000 /proc/self/status");
    bench.push(Kind::command, "grep -qx SigIgn:.0000000000000000 /proc/self/status");
    CHECK(bench.run() == 0);
    CHECK(test::read_file(bench.file("stdin")) == "/dev/null\n");
}

TEST_CASE("with a dead stderr cleanups write to the log, which stays if one of them failed") {
    const int saved = ::dup(STDERR_FILENO);
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
    Bench bench;
    ::close(ends[0]);
    bench.push(Kind::command, "echo out; echo err >&2; exit 1");
    const std::size_t failed = bench.run();
    ::dup2(saved, STDERR_FILENO);
    CHECK(failed == 1);
    CHECK(test::read_file(bench.file("run.log")) == "out\nerr\n");
    CHECK(bench.output().finish(true) == bench.file("run.log"));
    CHECK(bench.output().finish(false).empty());
}

TEST_CASE("a cleanup whose stderr dies under it is run again, with its output in the log") {
    const int saved = ::dup(STDERR_FILENO);
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
    Bench bench;
    bench.m_reader = ends[0];
    // Its signal has the reader closed; it prints until that shows.
    bench.push(Kind::command, "echo begun >>" + bench.file("log") + "; kill -USR1 " + std::to_string(::getpid()) +
                                  "; while test -p /proc/$$/fd/2; do printf x >&2 || exit 1; done; "
                                  "echo cleaned >>" +
                                  bench.file("log"));
    const std::size_t failed = bench.run();
    ::dup2(saved, STDERR_FILENO);
    CHECK(failed == 0);
    CHECK(test::read_file(bench.file("log")) == "begun\nbegun\ncleaned\n");
}

TEST_CASE("a cleanup that three have begun and nobody has finished is failed, and the next one begins") {
    Bench bench;
    bench.push(Kind::command, "true below");
    bench.push(Kind::command, "true killer");
    const auto killer = bench.top();
    for (pid_t pid = 1; pid <= 3; ++pid) {
        bench.record(journal::TakenOver{plan::Actor::recovery, {pid, 1}});
        bench.record(journal::Started{journal::Started::What::cleanup, {pid, 2}, killer.id});
    }
    CHECK(bench.run() == 1);
    CHECK(bench.m_order == "true killer\ntrue below\n");
    CHECK(bench.m_outcomes[0].error == "begun 3 times and never finished: it is not begun again");
    CHECK(bench.m_outcomes[1].error.empty());
}

TEST_CASE("a cleanup that is asked to end between two tries is not tried again and the next one begins") {
    Bench bench;
    bench.m_settings.retries = 5;
    bench.m_stopped_in_pause = true;
    bench.push(Kind::command, "true below");
    bench.push(Kind::command, "echo begun >>" + bench.file("log") + "; exit 7");
    CHECK(bench.run() == 1);
    CHECK(test::read_file(bench.file("log")) == "begun\n");
    CHECK(bench.m_outcomes[0].error == "ended by --stop");
    CHECK(bench.m_outcomes[0].exit_code == 7);
    CHECK(bench.m_outcomes[0].attempts == 1);
    CHECK(bench.m_outcomes[1].error.empty());
}

namespace {

// No process can be had after the first try, and it is asked to end when that is said.
class Starved : public Bench {
    void retrying(const Cleanup& cleanup, const cleanup::Outcome&, unsigned, text::Duration) override {
        if (std::exchange(m_has_failed, true))
            record(journal::StopAsked{cleanup.id});
        else
            test::refuse_system_call(SYS_clone, EAGAIN);
    }
    bool m_has_failed = false;
};

} // namespace

TEST_CASE("a cleanup that is asked to end while no process can be had for it has the tries that it had") {
    test::Forked other([] {
        Starved bench;
        bench.m_settings.retries = 5;
        bench.push(Kind::command, "exit 7");
        test::expect(bench.run() == 1, "it has not failed");
        test::expect(bench.m_outcomes[0].error == "ended by --stop", "it was not ended");
        test::expect(bench.m_outcomes[0].attempts == 2, "it has other tries");
    });
    CHECK(other.succeeded());
}

TEST_CASE("a cleanup that was asked to end while somebody else was at it has failed and is not begun again") {
    Bench bench;
    bench.push(Kind::command, "true below");
    bench.push(Kind::command, "touch " + bench.file("again"));
    const auto top = bench.top();
    bench.record(journal::Started{journal::Started::What::cleanup, {1, 2}, top.id});
    bench.record(journal::StopAsked{top.id});
    CHECK(bench.run() == 1);
    CHECK_FALSE(std::filesystem::exists(bench.file("again")));
    CHECK(bench.m_outcomes[0].error == "ended by --stop");
    CHECK(bench.m_outcomes[1].error.empty());
}
