#include "os/process.hpp"

#include "child.hpp"
#include "os/boot.hpp"
#include "support/forked.hpp"
#include "support/hardship.hpp"
#include "support/sanitized.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <doctest/doctest.h>
#include <set>
#include <string>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <vector>

using namespace finally_run;

namespace {

constexpr std::uint64_t second = 1'000'000'000;

os::ProcessInfo started_at(std::uint64_t ticks) {
    os::ProcessInfo process{};
    process.start_ticks = ticks;
    return process;
}

bool contains(const std::vector<os::ProcessInfo>& processes, pid_t pid) {
    return std::ranges::find(processes, pid, &os::ProcessInfo::pid) != processes.end();
}

// A child as fork(2) makes it, but that nobody is told of its end.
template <class Body> pid_t fork_quietly(const Body& body) {
    const auto pid = static_cast<pid_t>(::syscall(SYS_clone, 0UL, nullptr, nullptr, nullptr, nullptr));
    if (pid == 0) {
        body();
        ::_exit(0);
    }
    return pid;
}

void reap_quiet(pid_t pid) {
    ::kill(pid, SIGKILL);
    CHECK(::waitpid(pid, nullptr, __WALL) == pid);
}

os::SpawnResult sleeper(const std::vector<const char*>& environment) {
    const std::vector<const char*> argv{"/bin/sleep", "1000", nullptr};
    os::SpawnRequest request = test::request(argv);
    request.env = environment.data();
    const os::SpawnResult result = os::spawn(request);
    // The kernel lets us go on before the program's environment can be seen.
    const std::string path = os::proc_path(result.pid, "environ");
    return test::comes_true([&] { return !os::read_proc_file(path).empty(); }) ? result : os::SpawnResult{};
}

void end(pid_t pid) {
    ::kill(pid, SIGKILL);
    static_cast<void>(test::wait_for(pid));
}

} // namespace

TEST_CASE("a start is compared with a time in the ticks of /proc") {
    const auto per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    const std::uint64_t tick = second / per_second;
    const auto process = started_at(3 * per_second + 1);
    CHECK(os::start_against(process, 3 * second + tick - 1) > 0);
    CHECK(os::start_against(process, 3 * second + tick) == 0);
    CHECK(os::start_against(process, 3 * second + 2 * tick - 1) == 0);
    CHECK(os::start_against(process, 3 * second + 2 * tick) < 0);
    // Years of uptime do not overflow.
    constexpr std::uint64_t long_ago = 100ULL * 365 * 86400;
    CHECK(os::start_against(started_at(long_ago * per_second), long_ago * second) == 0);
}

TEST_CASE("a process did not start after a time at which it was there, and a later one did not start before it") {
    test::Gate gate;
    const std::uint64_t before = os::boot_nanoseconds();
    test::Forked child([&] { static_cast<void>(gate.pass()); });
    const std::uint64_t after = os::boot_nanoseconds();
    const auto process = os::read_process(child.pid());
    REQUIRE(process.has_value());
    CHECK(os::start_against(*process, before) >= 0);
    CHECK(os::start_against(*process, after) <= 0);
    CHECK(os::start_against(*process, before - second) > 0);
    CHECK(os::start_against(*process, after + second) < 0);
    CHECK(os::start_against(*os::read_process(::getpid()), after + second) < 0);
}

TEST_CASE("a process was started with the variables of its environment, whole ones alone") {
    const os::SpawnResult child = sleeper({"FIRST=1", "FINALLY_RUN_ID=20260101", "EMPTY=", "LAST=x y", nullptr});
    REQUIRE(child.started());
    for (const char* const there : {"FIRST=1", "FINALLY_RUN_ID=20260101", "EMPTY=", "LAST=x y"}) {
        CAPTURE(there);
        CHECK(os::was_started_with(child.pid, there));
    }
    for (const char* const not_there : {"FINALLY_RUN_ID=2026010", "FINALLY_RUN_ID=202601011", "RUN_ID=20260101",
                                        "FINALLY_RUN_ID", "LAST=x", "y", ""}) {
        CAPTURE(not_there);
        CHECK_FALSE(os::was_started_with(child.pid, not_there));
    }
    end(child.pid);
    CHECK_FALSE(os::was_started_with(child.pid, "FIRST=1"));
}

TEST_CASE("the environment of a process in the midst of execve is waited for") {
    test::Gate go;
    const test::Forked child([&] {
        const std::array<const char*, 3> argv{"sleep", "1000", nullptr};
        const std::array<const char*, 2> environment{"FIRST=1", nullptr};
        static_cast<void>(go.pass());
        ::execve("/bin/sleep", const_cast<char* const*>(argv.data()), const_cast<char* const*>(environment.data()));
    });
    const std::string before = os::environment_of(child.pid());
    go.open();
    std::string now = before;
    while (now == before) { // not a moment in which it has none
        now = os::environment_of(child.pid());
    }
    CHECK(now == std::string("FIRST=1\0", 8));
}

TEST_CASE("what a process sets later it was not started with") {
    test::Gate gate;
    test::Gate ready;
    test::Forked child([&] {
        ::setenv("FINALLY_RUN_TEST_LATER", "1", 1);
        ready.open();
        static_cast<void>(gate.pass());
    });
    REQUIRE(ready.pass());
    CHECK_FALSE(os::was_started_with(child.pid(), "FINALLY_RUN_TEST_LATER=1"));
}

TEST_CASE("of a process whose environment we may not read nothing is said") {
    const os::SpawnResult child = sleeper({"FIRST=1", nullptr});
    REQUIRE(child.started());
    REQUIRE(os::was_started_with(child.pid, "FIRST=1"));
    if (::geteuid() == 0) {
        const test::TempDir dir;
        const test::Unprivileged user(dir.path());
        CHECK_FALSE(os::was_started_with(child.pid, "FIRST=1"));
    }
    end(child.pid);
}

TEST_CASE("a process is described with the signal that its parent gets at its end") {
    test::Gate gate;
    test::Forked child([&] { static_cast<void>(gate.pass()); });
    const pid_t quiet = fork_quietly([&] { static_cast<void>(gate.pass()); });
    REQUIRE(quiet > 0);
    REQUIRE(os::read_process(child.pid()).has_value());
    CHECK(os::read_process(child.pid())->exit_signal == SIGCHLD);
    REQUIRE(os::read_process(quiet).has_value());
    CHECK(os::read_process(quiet)->exit_signal == 0);
    reap_quiet(quiet);
}

TEST_CASE("a child that ends without a signal is no descendant, and neither is what it starts") {
    test::Gate gate;
    test::Gate ready;
    test::Forked ordinary([&] { static_cast<void>(gate.pass()); });
    pid_t below = 0;
    const pid_t quiet = fork_quietly([&] {
        const test::Forked grandchild([&] { static_cast<void>(gate.pass()); });
        const pid_t pid = grandchild.pid();
        static_cast<void>(::write(ready.writer(), &pid, sizeof pid));
        static_cast<void>(gate.pass());
    });
    REQUIRE(::read(ready.reader(), &below, sizeof below) == sizeof below);
    const auto found = os::descendants(::getpid());
    const auto all = os::all_processes();
    reap_quiet(quiet);
    REQUIRE(found.size() == 1);
    CHECK(found[0].pid == ordinary.pid());
    CHECK(contains(all, quiet));
    CHECK(contains(all, below));
}

TEST_CASE("what a descendant clones for its own ends is a descendant all the same") {
    test::Gate gate;
    test::Gate ready;
    test::Forked child([&] {
        const pid_t quiet = fork_quietly([&] { static_cast<void>(gate.pass()); });
        static_cast<void>(::write(ready.writer(), &quiet, sizeof quiet));
        static_cast<void>(gate.pass());
    });
    pid_t quiet = 0;
    REQUIRE(::read(ready.reader(), &quiet, sizeof quiet) == sizeof quiet);
    CHECK(contains(os::descendants(::getpid()), quiet));
    ::kill(quiet, SIGKILL);
}

TEST_CASE("a process that has ended but is not reaped is none of those that live") {
    test::Forked child([] {});
    siginfo_t info = {};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOWAIT) == 0);
    CHECK_FALSE(contains(os::all_processes(), child.pid()));
    CHECK(contains(os::all_processes(), ::getpid()));
    const auto pids = os::all_pids();
    CHECK(std::ranges::find(pids, child.pid()) != pids.end());
}

TEST_CASE("the processes of a session are found, with one more, also where nobody may ask for sessions") {
    test::Gate ready;
    const test::Forked leader([&] {
        ::setsid();
        ready.open();
        ::pause();
    });
    ready.close_writer();
    REQUIRE(ready.pass());
    const auto finds_both_alone = [&] {
        const auto found = os::processes_in(leader.pid(), leader.pid(), ::getpid());
        std::set<pid_t> pids;
        for (const os::ProcessInfo& process : found) {
            pids.insert(process.pid);
        }
        return pids == std::set<pid_t>{leader.pid(), ::getpid()};
    };
    CHECK(finds_both_alone());
    test::Forked refused([&] {
        test::refuse_system_call(SYS_getsid, EPERM);
        ::_exit(finds_both_alone() ? 0 : 1);
    });
    CHECK(refused.succeeded());
}

TEST_CASE("who leads a process group is found and descendants also where nobody may ask for numbers") {
    test::Gate ready;
    const test::Forked leader([&] {
        ::setpgid(0, 0);
        const test::Forked member([&] {
            ready.open();
            ::pause();
        });
        ::pause();
    });
    REQUIRE(ready.pass());
    const auto finds_them = [&] {
        const auto has = [](const std::vector<os::ProcessInfo>& found, pid_t pid) {
            return std::ranges::find(found, pid, &os::ProcessInfo::pid) != found.end();
        };
        const auto leaders = os::leaders_and_leaderless();
        const auto below = os::descendants(::getppid());
        const auto is_member = [&](const os::ProcessInfo& process) { return process.parent == leader.pid(); };
        return has(leaders, leader.pid()) && std::ranges::none_of(leaders, is_member) && has(below, leader.pid()) &&
               std::ranges::any_of(below, is_member);
    };
    for (const long refused : {0L, long(SYS_getsid), long(SYS_getpgid)}) {
        CAPTURE(refused);
        test::Forked looking([&] {
            if (refused != 0) {
                test::refuse_system_call(refused, EPERM);
            }
            ::_exit(finds_them() ? 0 : 1);
        });
        CHECK(looking.succeeded());
    }
}

TEST_CASE("where the newer way to signal a process is refused the older one serves, and for that process alone") {
    for (const long number : {SYS_pidfd_send_signal, SYS_pidfd_open}) {
        CAPTURE(number);
        test::Forked restricted([&] {
            test::Gate gate;
            test::Forked child([&] { static_cast<void>(gate.pass()); });
            auto process = os::read_process(child.pid());
            test::expect(process.has_value(), "no such child");
            test::refuse_system_call(number, EPERM);
            process->start_ticks -= 1;
            test::expect(os::send_signal(*process, SIGKILL).how == os::Delivery::How::gone, "another was signalled");
            process->start_ticks += 1;
            test::expect(os::send_signal(*process, SIGKILL).sent(), "not sent");
            test::expect(!child.succeeded(), "not killed");
        });
        CHECK(restricted.succeeded());
    }
}

TEST_CASE("whoever has no descriptor to look with does not see that nobody is there" * doctest::skip(test::sanitized)) {
    const test::NoDescriptors none;
    CHECK_THROWS_AS(static_cast<void>(os::all_processes()), std::system_error);
    CHECK_THROWS_AS(static_cast<void>(os::still_runs(::getpid(), os::boot_nanoseconds())), std::system_error);
}

TEST_CASE("the newest pid is the one that was given out last") {
    CHECK(test::comes_true([] { // others may fork meanwhile
        const test::Forked child([] {});
        return os::newest_pid() == child.pid();
    }));
}

TEST_CASE("the words of a process are shown with blanks between them, or else its name") {
    const os::SpawnResult child = sleeper({"FIRST=1", nullptr});
    REQUIRE(child.started());
    CHECK(os::command_line(*os::read_process(child.pid)) == "/bin/sleep 1000");
    end(child.pid);
    os::ProcessInfo unknown = started_at(0);
    unknown.name = "name";
    CHECK(os::command_line(unknown) == "name");
}
