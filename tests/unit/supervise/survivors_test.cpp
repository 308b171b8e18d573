#include "supervise/survivors.hpp"

#include "../os/child.hpp"
#include "os/boot.hpp"
#include "support/forked.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <doctest/doctest.h>
#include <poll.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace finally_run;

namespace {

// Of this process alone: other tests may run at the same time in this session.
const std::string own_mark = "FINALLY_RUN_ID=survivors-test-" + std::to_string(::getpid());
const char* const mark = own_mark.c_str();
constexpr const char* no_mark = "OTHER=1";
constexpr pid_t gone = -1; // the pid of a step that has ended

using PidList = std::vector<pid_t>;

// A process with the mark in its environment, or without it; killed with this object, and with the children that it
// says it has.
class Process {
public:
    explicit Process(const std::string& script, const char* variable, os::Placement placement) {
        const std::vector<const char*> argv{"/bin/sh", "-c", script.c_str(), nullptr};
        const std::vector<const char*> environment{"PATH=/bin:/usr/bin", variable, nullptr};
        test::Gate gate;
        os::SpawnRequest request = test::request(argv);
        request.env = environment.data();
        request.placement = placement;
        request.stdio = os::Stdio{STDIN_FILENO, gate.writer(), STDERR_FILENO};
        m_pids.push_back(os::spawn(request).pid);
        gate.close_writer();
        // A line for each child.
        std::string line;
        for (char byte = 0; ::read(gate.reader(), &byte, 1) == 1;) {
            if (byte != '\n') {
                line += byte;
                continue;
            }
            if (line == "ready") {
                return;
            }
            m_pids.push_back(std::atoi(line.c_str()));
            line.clear();
        }
    }
    explicit Process(const char* variable, os::Placement placement = os::Placement::shared_group)
        : Process("echo ready; exec sleep 1000 >&-", variable, placement) {}
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process() {
        for (const pid_t pid : m_pids) {
            ::kill(pid, SIGKILL);
        }
        ::waitpid(pid(), nullptr, 0);
    }

    [[nodiscard]] pid_t pid() const { return m_pids.front(); }
    [[nodiscard]] pid_t child() const { return m_pids.at(1); }

private:
    PidList m_pids;
};

// A time that a process which is there started before, by more than /proc can hide.
std::uint64_t after_start_of(pid_t pid) {
    const auto process = os::read_process(pid);
    REQUIRE(process.has_value());
    std::uint64_t now = 0;
    REQUIRE(test::comes_true([&] {
        now = os::boot_nanoseconds();
        return os::start_against(*process, now) < 0;
    }));
    return now;
}

// The time of its start, as far as /proc tells.
std::uint64_t start_of(pid_t pid) {
    const auto process = os::read_process(pid);
    REQUIRE(process.has_value());
    return process->start_ticks * (1'000'000'000 / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
}

supervise::Survivors survivors_of(pid_t pid, std::uint64_t since) {
    return {.pid = pid, .boot_nanoseconds = since, .session = ::getsid(0), .mark = mark, .alone_in_group = false};
}

PidList members_of(supervise::Survivors& survivors) {
    PidList found;
    for (const os::ProcessInfo& process : survivors.members()) {
        found.push_back(process.pid);
    }
    std::ranges::sort(found);
    return found;
}

PidList members_of(supervise::Survivors&& survivors) { return members_of(survivors); }

PidList sorted(PidList pids) {
    std::ranges::sort(pids);
    return pids;
}

} // namespace

TEST_CASE("a step that lives is its own survivor, with its mark or without") {
    for (const char* const variable : {mark, no_mark}) {
        const Process step(variable);
        CHECK(members_of(survivors_of(step.pid(), os::boot_nanoseconds())) == PidList{step.pid()});
    }
}

TEST_CASE("whoever got the pid of a step later is not the step, not even with its mark") {
    const Process earlier(no_mark);
    const std::uint64_t then = after_start_of(earlier.pid());
    const std::uint64_t long_before = then - 2'000'000'000;
    for (const char* const variable : {mark, no_mark}) {
        const Process recycled(variable);
        CHECK(members_of(survivors_of(recycled.pid(), long_before)).empty());
    }
}

TEST_CASE("what a step has left behind is found by the mark, when its parents are gone") {
    const std::uint64_t before = os::boot_nanoseconds();
    const Process orphan(mark);
    const std::string other_mark = own_mark + "0";
    const Process of_another_run(other_mark.c_str());
    const Process unmarked(no_mark);
    CHECK(members_of(survivors_of(gone, before)) == PidList{orphan.pid()});
}

TEST_CASE("what has dropped the mark is found by its parents, the step or a marked one") {
    const std::uint64_t before = os::boot_nanoseconds();
    const std::string script = "env -i sleep 1000 >&- & echo $!; echo ready; wait";
    const Process step(script, no_mark, os::Placement::shared_group);
    CHECK(members_of(survivors_of(step.pid(), start_of(step.pid()))) == sorted({step.pid(), step.child()}));
    const Process marked(script, mark, os::Placement::shared_group);
    CHECK(members_of(survivors_of(gone, before)) == sorted({marked.pid(), marked.child()}));
}

TEST_CASE("what was there before the step began is none of its, whatever mark it has") {
    const Process earlier(mark);
    const std::uint64_t then = after_start_of(earlier.pid());
    const Process later(mark);
    CHECK(members_of(survivors_of(gone, then)) == PidList{later.pid()});
}

TEST_CASE("what has made a session of its own is left alone") {
    const std::uint64_t before = os::boot_nanoseconds();
    const Process daemon(mark, os::Placement::own_session);
    CHECK(members_of(survivors_of(gone, before)).empty());
}

TEST_CASE("a step that has made a session of its own is found all the same, and what it has started there") {
    const Process step("sleep 1000 >&- & echo $!; echo ready; exec sleep 1000 >&-", no_mark,
                       os::Placement::own_session);
    auto survivors = survivors_of(step.pid(), start_of(step.pid()));
    CHECK(members_of(survivors) == PidList{step.pid()}); // the session may be that of an earlier one
    survivors.alone_in_group = true;
    CHECK(members_of(survivors) == sorted({step.pid(), step.child()}));
}

TEST_CASE("who was found once is found until it is gone, when nothing else tells that it belongs to the step") {
    const Process step("env -i sleep 1000 >&- & echo $!; echo ready; wait", no_mark, os::Placement::shared_group);
    auto survivors = survivors_of(step.pid(), start_of(step.pid()));
    REQUIRE(members_of(survivors) == sorted({step.pid(), step.child()}));
    ::kill(step.pid(), SIGKILL);
    REQUIRE(test::comes_true([&] { return os::read_process(step.pid())->ended; }));
    CHECK(members_of(survivors) == PidList{step.child()});
    CHECK(members_of(survivors) == PidList{step.child()});
    ::kill(step.child(), SIGKILL);
    REQUIRE(test::comes_true([&] {
        const auto child = os::read_process(step.child());
        return !child || child->ended;
    }));
    CHECK(members_of(survivors).empty());
}

TEST_CASE("who is in the group of a step belongs to it if nobody else could be there") {
    const Process step("sleep 1000 >&- & echo $!; echo ready; exec sleep 1000 >&-", no_mark, os::Placement::own_group);
    const Process stranger(no_mark, os::Placement::own_group);
    auto survivors = survivors_of(step.pid(), start_of(step.pid()));
    ::kill(step.pid(), SIGKILL);
    REQUIRE(test::comes_true([&] { return os::read_process(step.pid())->ended; }));
    CHECK(members_of(survivors).empty());
    survivors.alone_in_group = true;
    CHECK(members_of(survivors) == PidList{step.child()});
}

TEST_CASE("a step that forks and ends while we look is not missed in its child") {
    for (int round = 0; round < 100; ++round) {
        test::Gate end;
        test::Gate ready;
        test::Gate hopped;
        test::Gate go;
        test::Forked first([&] {
            ::setpgid(0, 0);
            end.close_writer();
            ready.open();
            static_cast<void>(go.pass());
            if (::fork() == 0) {
                hopped.open();
                static_cast<void>(end.pass());
            }
        });
        REQUIRE(ready.pass());
        auto survivors = survivors_of(first.pid(), os::boot_nanoseconds());
        survivors.alone_in_group = true;
        go.open();
        pollfd over{hopped.reader(), POLLIN, 0};
        while (::poll(&over, 1, 0) == 0) {
            REQUIRE_FALSE(survivors.members().empty());
        }
        REQUIRE(first.succeeded());
        REQUIRE_FALSE(survivors.members().empty());
    }
}

TEST_CASE("nobody finds himself among the survivors of a step") {
    auto survivors = survivors_of(::getpid(), os::boot_nanoseconds());
    CHECK(members_of(survivors).empty());
    test::Forked child([&] { test::expect(members_of(survivors) == PidList{::getppid()}, "the step is not found"); });
    CHECK(child.succeeded());
}
