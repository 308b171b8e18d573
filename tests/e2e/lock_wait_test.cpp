// Waiting for a lock.
#include "harness.hpp"

#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace finally_run::e2e {
namespace {

using Clock = std::chrono::steady_clock;

struct Holder {
    Process process = Run({"--lock", "l", "--", "helper", "pause", "marker-word"}).start();
    pid_t command = 0;
    fs::path lock = state_dir() / "l";

    Holder() { command = static_cast<pid_t>(number_after(process.wait_for_line("READY"), "READY ")); }
    void let_go() { process.signal(SIGTERM); }
};

TEST_CASE("who waits gets the lock as soon as it is free") {
    Holder holder;
    auto waiter = Run({"--lock", "l", "--", "echo", "ran"}).start();
    wait_for_lock_waiters(holder.lock, 1);
    holder.let_go();
    const auto outcome = waiter.finish();
    CHECK(outcome.status == 0);
    CHECK(outcome.out == "ran\n");
}

TEST_CASE("a wait ends at its limit") {
    Holder holder;
    bool soon = false; // a busy machine is late, but not each time
    for (int tries = 0; tries < 10 && !soon; ++tries) {
        const auto begin = Clock::now();
        const auto outcome =
            Run({"--wait", ".3", "--lock", "l", "-s", "echo up", "-c", "echo down", "--", "echo", "ran"}).run();
        const auto took = Clock::now() - begin;
        CHECK(outcome.status == 75);
        CHECK(outcome.out.empty());
        CHECK(lines(outcome.err).size() == 1);
        CHECK(took >= std::chrono::milliseconds(300));
        soon = took < std::chrono::milliseconds(1300);
    }
    CHECK(soon);
}

TEST_CASE("the limit of a wait is on a clock that goes on while the machine is suspended") {
    Holder holder;
    auto waiter = Run({"--wait", "90m", "--lock", "l", "--", "true"}).start();
    wait_for_lock_waiters(holder.lock, 1);
    std::string timers;
    for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(waiter.pid()) + "/fdinfo")) {
        timers += read_file(entry.path());
    }
    CHECK_MESSAGE(timers.find("clockid: 7\n") != std::string::npos, timers); // CLOCK_BOOTTIME
    const auto left = number_after(timers, "it_value: (");
    CHECK((left > 5000 && left <= 5400));
    waiter.signal(SIGTERM);
    waiter.finish();
}

TEST_CASE("the limit counts for all the locks together") {
    Holder holder;
    auto other = Run({"--lock", "m", "--", "helper", "pause"}).start();
    other.wait_for_line("READY");
    const auto begin = Clock::now();
    auto waiter = Run({"--wait", ".6", "--lock", "l", "--lock", "m", "--", "echo", "ran"}).start();
    CHECK(waiter.finish().status == 75);
    CHECK(Clock::now() - begin < std::chrono::milliseconds(1150));
    CHECK_FALSE(Run({"-n", "--lock", "m", "--", "true"}).run().status == 0);
}

TEST_CASE("a run that could not have all its locks holds none") {
    Holder holder;
    CHECK(Run({"-n", "--lock", "a", "--lock", "l", "--lock", "z", "--", "true"}).run().status == 75);
    CHECK_FALSE(is_locked(state_dir() / "a"));
}

TEST_CASE("a signal ends the wait at once, and nothing has run") {
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
        CAPTURE(number);
        Holder holder;
        auto waiter = Run({"--lock", "l", "-s", "echo up", "-c", "echo down", "--", "echo", "ran"}).start();
        wait_for_lock_waiters(holder.lock, 1);
        waiter.signal(number);
        const auto outcome = waiter.finish();
        CHECK(outcome.signal == number);
        CHECK(outcome.out.empty());
        CHECK(outcome.err.find("up\n") == std::string::npos);
        CHECK(outcome.err.find("down\n") == std::string::npos);
        CHECK(leftovers().size() == 3);
        holder.let_go();
        holder.process.finish();
    }
}

TEST_CASE("a waiter that is killed leaves nothing that waits") {
    Holder holder;
    {
        auto waiter = Run({"--lock", "l", "--", "echo", "ran"}).start();
        wait_for_lock_waiters(holder.lock, 1);
        waiter.signal(SIGKILL);
        waiter.finish();
    }
    wait_until("only the holder, its guardian and its command are left", [] { return leftovers().size() == 3; });
}

TEST_CASE("after a second of waiting one line says who has the lock") {
    Holder holder;
    auto waiter = Run({"--lock", "l", "--", "echo", "ran"}).start();
    const auto line = waiter.wait_for_err("finally-run: ");
    CHECK(line.find("marker-word") != std::string::npos);
    CHECK(line.find(std::to_string(holder.process.pid())) != std::string::npos);
    CHECK(line.find("l") != std::string::npos);
    holder.let_go();
    const auto outcome = waiter.finish();
    CHECK(outcome.status == 0);
    CHECK(lines(outcome.err).size() == 1);
}

TEST_CASE("the line about the holder names its CI job") {
    auto holder = Run({"--lock", "l", "--", "helper", "pause"})
                      .env("GITLAB_CI", "true")
                      .env("CI", "true")
                      .env("CI_JOB_URL", "https://ci.example/job/17")
                      .start();
    holder.wait_for_line("READY");
    auto waiter = Run({"--lock", "l", "--", "true"}).start();
    CHECK(waiter.wait_for_err("finally-run: ").find("https://ci.example/job/17") != std::string::npos);
}

TEST_CASE("a holder that is not finally-run is named too") {
    auto holder = Run::of({"flock", "file", "helper", "pause", "marker-word"}).start();
    holder.wait_for_line("READY");
    auto waiter = Run({"--lock", "./file", "--", "true"}).start();
    const auto line = waiter.wait_for_err("finally-run: ");
    CHECK(line.find("flock") != std::string::npos);
    CHECK(line.find(std::to_string(holder.pid())) != std::string::npos);
}

TEST_CASE("a quiet waiter says nothing while it waits") {
    Holder holder;
    const auto outcome = Run({"-q", "--wait", "1.3", "--lock", "l", "--", "true"}).run();
    CHECK(outcome.status == 75);
    CHECK(lines(outcome.err).size() <= 1);
}

TEST_CASE("escape sequences in the holder's command are made visible") {
    auto holder = Run({"--lock", "l", "--", "helper", "pause", "\x1b[2J\x07 evil\nline"}).start();
    holder.wait_for_line("READY");
    auto waiter = Run({"--lock", "l", "--", "true"}).start();
    const auto line = waiter.wait_for_err("finally-run: ");
    CHECK(line.find('\x1b') == std::string::npos);
    CHECK(line.find('\x07') == std::string::npos);
    CHECK(line.find("evil") != std::string::npos);
}

TEST_CASE("waiting costs no processor time") {
    Holder holder;
    auto waiter = Run({"--lock", "l", "--", "true"}).start();
    waiter.wait_for_err("finally-run: ");
    const auto used = [&] {
        const auto stat = read_file("/proc/" + std::to_string(waiter.pid()) + "/schedstat");
        return std::strtoll(stat.c_str(), nullptr, 10);
    };
    const auto before = used();
    const auto quiet_until = Clock::now() + std::chrono::milliseconds(500);
    wait_until("half a second has passed", [&] { return Clock::now() >= quiet_until; });
    CHECK(used() - before < 5'000'000); // nanoseconds
}

TEST_CASE("a lock file that was replaced during the wait is locked anew") {
    write_file(work("file"), "");
    auto holder = Run::of({"flock", "file", "helper", "pause"}).start();
    const auto command = static_cast<pid_t>(number_after(holder.wait_for_line("READY"), "READY "));
    auto waiter = Run({"--lock", "./file", "--", "flock", "-n", "file", "true"}).start();
    wait_for_lock_waiters(work("file"), 1);
    write_file(work("new"), "");
    fs::rename(work("new"), work("file"));
    ::kill(command, SIGTERM);
    CHECK(waiter.finish().status == 1);
}

TEST_CASE("a lock file that was removed during the wait is created anew") {
    write_file(work("file"), "");
    auto holder = Run::of({"flock", "file", "helper", "pause"}).start();
    const auto command = static_cast<pid_t>(number_after(holder.wait_for_line("READY"), "READY "));
    auto waiter = Run({"--lock", "./file", "--", "flock", "-n", "file", "true"}).start();
    wait_for_lock_waiters(work("file"), 1);
    fs::remove(work("file"));
    ::kill(command, SIGTERM);
    CHECK(waiter.finish().status == 1);
}

TEST_CASE("waiters get the lock in the order in which they came") {
    Holder holder;
    std::vector<Process> waiters;
    for (int i = 0; i < 5; ++i) {
        waiters.push_back(Run({"--lock", "l", "--", "sh", "-c", "echo " + std::to_string(i) + " >>order"}).start());
        wait_for_lock_waiters(holder.lock, i + 1);
    }
    holder.let_go();
    for (auto& waiter : waiters)
        waiter.finish();
    CHECK(read_file(work("order")) == "0\n1\n2\n3\n4\n");
}

} // namespace
} // namespace finally_run::e2e
