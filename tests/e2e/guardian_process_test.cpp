// What the guardian is, as a process: what it shows, what it holds, and that it is always there.
#include "guard.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace finally_run::e2e {
namespace {

struct Guarded {
    Process process;
    pid_t guardian = 0;

    explicit Guarded(const Run& run) : process(run.start()) {
        process.wait_for_line("READY");
        guardian = guardian_of(process.pid());
    }
    [[nodiscard]] std::string proc(const std::string& file) const {
        return read_file("/proc/" + std::to_string(guardian) + "/" + file);
    }
};

struct Pipe {
    std::array<int, 2> ends{};
    Pipe() { CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0); }
    [[nodiscard]] short state(int end) const {
        pollfd look{ends.at(static_cast<std::size_t>(end)), 0, 0};
        ::poll(&look, 1, 0);
        return look.revents;
    }
    void close(int end) {
        ::close(ends.at(static_cast<std::size_t>(end)));
        ends.at(static_cast<std::size_t>(end)) = -1;
    }
};

TEST_CASE("the guardian shows a name and words of its own, and nothing of the environment") {
    const Guarded run(Run({"-c", "true", "--", "helper", "pause", "a-word-of-the-command"})
                          .env("RUNNER_TRACKING_ID", "github_1234")
                          .env("SECRET", "value"));
    CHECK(run.proc("comm") == "finally-guard\n");
    CHECK(run.proc("cmdline").find("finally-guard: of run ") == 0);
    CHECK(run.proc("cmdline").find("a-word-of-the-command") == std::string::npos);
    CHECK(run.proc("environ").find_first_not_of('\0') == std::string::npos);
}

TEST_CASE("the guardian has a session of its own") {
    const Guarded run(Run({"--", "helper", "pause"}));
    CHECK(::getsid(run.guardian) == run.guardian);
    CHECK(::getpgid(run.guardian) == run.guardian);
}

TEST_CASE("the guardian holds stderr, its own files, and no other descriptor that finally-run was given") {
    const Pipe jobserver;
    const Guarded run(Run({"-l", "l", "--", "helper", "pause"}).fd(3, jobserver.ends[0]).fd(4, jobserver.ends[1]));
    const std::string fds = "/proc/" + std::to_string(run.guardian) + "/fd";
    const fs::path err = fs::read_symlink("/proc/" + std::to_string(run.process.pid()) + "/fd/2");
    int pipes = 0;
    for (const auto& entry : fs::directory_iterator(fds)) {
        const std::string to = fs::read_symlink(entry.path());
        std::error_code none; // of what is no file
        const bool expected = to == "/dev/null" || to == err || to == state_dir() / "l" ||
                              fs::equivalent(entry.path(), only_run_file(), none) || to == "anon_inode:[signalfd]" ||
                              to.rfind("pipe:", 0) == 0;
        CHECK_MESSAGE(expected, to);
        pipes += to.rfind("pipe:", 0) == 0 && to != err ? 1 : 0;
    }
    CHECK(pipes == 1); // whose other end is the supervisor's life
    CHECK(fs::read_symlink(fds + "/0") == "/dev/null");
    CHECK(fs::read_symlink(fds + "/1") == "/dev/null");
    CHECK(fs::read_symlink(fds + "/2") == err);
    CHECK_FALSE(fs::exists(fds + "/3"));
    CHECK_FALSE(fs::exists(fds + "/4"));
}

TEST_CASE("who waits for stdin, stdout or a pipe of make's to be closed does not wait for the guardian") {
    make_fifo(work("fifo"));
    Pipe in;
    Pipe out;
    Pipe jobserver;
    Guarded run(Run({"-c", waiting, "--", "sh", "-c", "echo READY >&2; exec helper pause"})
                    .fd(0, in.ends[0])
                    .fd(3, jobserver.ends[1]));
    auto piped = Run({"-c", waiting, "--", "sh", "-c", "touch up; exec helper pause"})
                     .fd(0, in.ends[0])
                     .fd(1, out.ends[1])
                     .fd(3, jobserver.ends[1])
                     .start();
    wait_for_file(work("up"));
    const pid_t guardian = guardian_of(piped.pid());
    ::kill(run.process.pid(), SIGKILL);
    wait_for_log("begun");
    piped.signal(SIGKILL);
    wait_for_log("begun\nbegun");
    in.close(0);
    out.close(1);
    jobserver.close(1);
    CHECK((in.state(1) & POLLERR) != 0);
    CHECK((out.state(0) & POLLHUP) != 0);
    CHECK((jobserver.state(0) & POLLHUP) != 0);
    CHECK(alive(guardian));
    CHECK(alive(run.guardian));
}

TEST_CASE("stop signals do not end the guardian, before or while it cleans up") {
    make_fifo(work("fifo"));
    Guarded run(Run({"-c", "echo last >>log", "-c", waiting, "--", "helper", "pause"}));
    const auto stop = [&] {
        for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGALRM})
            ::kill(run.guardian, number);
    };
    stop();
    run.process.signal(SIGKILL);
    wait_for_log("begun");
    stop();
    CHECK(alive(run.guardian));
    release(work("fifo"));
    wait_for_end(run.guardian);
    CHECK(log_text() == "begun\nended\nlast\n");
}

TEST_CASE("a guardian that is killed is replaced, again and again") {
    Guarded run(Run({"-l", "l", "-c", witness, "--", "sh", "-c", "echo $$ >pid; exec helper pause"}));
    pid_t guardian = run.guardian;
    for (int i = 0; i < 5; ++i) {
        ::kill(guardian, SIGKILL);
        guardian = guardian_of(run.process.pid(), guardian);
    }
    kill_supervisor(run.process);
    CHECK(log_text() == "cleaned by guardian after lost\n");
    CHECK(leftovers().empty());
}

TEST_CASE("a guardian that is killed during a setup or a cleanup is replaced too") {
    make_fifo(work("fifo"));
    auto process = Run({"-c", "echo last >>log", "-c", waiting, "-s", waiting, "--", "true"}).start();
    for (int i = 0; i < 2; ++i) {
        wait_for_log("begun");
        const pid_t guardian = guardian_of(process.pid());
        ::kill(guardian, SIGKILL);
        CHECK(guardian_of(process.pid(), guardian) != guardian);
        fs::remove(work("log"));
        release(work("fifo"));
    }
    CHECK(process.finish().err.empty());
    CHECK(log_text() == "ended\nlast\n");
    CHECK(leftovers().empty());
}

TEST_CASE("markers by which a CI hunts leftovers are in the environment of neither the guardian nor its cleanups") {
    for (const char* name : {"RUNNER_TRACKING_ID", "VSTS_PROCESS_LOOKUP_ID", "JENKINS_NODE_COOKIE",
                             "JENKINS_SERVER_COOKIE", "HUDSON_COOKIE"}) {
        CAPTURE(std::string(name));
        Guarded run(Run({"-c", std::string("echo \"[$") + name + "] [$OTHER]\" >>log", "--", "helper", "pause"})
                        .env(name, "marker")
                        .env("OTHER", "kept"));
        CHECK(run.proc("environ").find(name) == std::string::npos);
        kill_supervisor(run.process);
        CHECK(log_text() == "[] [kept]\n");
        fs::remove(work("log"));
    }
}

TEST_CASE("when finally-run returns there is no process and no zombie of it, though its parent reaps nothing") {
    for (const auto& args : {std::vector<std::string>{"--", "true"},
                             {"-l", "l", "-s", "true", "-c", "true", "--temp-dir", "T", "--", "sh", "-c", "exit 3"},
                             {"-c",
                              "until g=$(grep -l finally-guard /proc/[0-9]*/comm); do sleep .01; done; "
                              "kill -9 $(echo $g | cut -d/ -f3)",
                              "--", "true"},
                             {"--timeout", ".05", "--", "helper", "pause"}}) {
        std::vector<std::string> words{"helper", "survey", "finally-run"};
        words.insert(words.end(), args.begin(), args.end());
        const auto outcome = Run::of(unshare({"--pid", "--fork", "--mount-proc"}, words)).run();
        CHECK(has_line(outcome.out, "nobody else"));
    }
}

} // namespace
} // namespace finally_run::e2e
