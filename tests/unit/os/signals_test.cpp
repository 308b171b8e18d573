#include "child.hpp"
#include "os/events.hpp"
#include "os/process.hpp"
#include "support/forked.hpp"
#include "support/hardship.hpp"

#include <cerrno>
#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <string>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <variant>

using namespace finally_run;

namespace {

os::Event next_event(os::Events& events) { return events.wait(os::deadline_after(std::chrono::seconds(30))); }

} // namespace

TEST_CASE("a signal that is sent to us is read, not suffered") {
    os::Events events(test::signals(), {});
    ::kill(::getpid(), SIGTERM);
    const os::Event event = next_event(events);
    REQUIRE(std::holds_alternative<os::Signal>(event));
    CHECK(std::get<os::Signal>(event).number == SIGTERM);
    CHECK_FALSE(std::get<os::Signal>(event).from_kernel);
}

TEST_CASE("a pending request to stop can be seen without taking it") {
    os::Signals& signals = test::signals();
    CHECK(signals.pending_stop() == 0);
    ::kill(::getpid(), SIGUSR1);
    CHECK(signals.pending_stop() == 0);
    ::kill(::getpid(), SIGINT);
    CHECK(signals.pending_stop() == SIGINT);
    CHECK(signals.pending_stop() == SIGINT);
}

TEST_CASE("a signal that was ignored at entry stays ignored") {
    ::signal(SIGHUP, SIG_IGN);
    os::Signals& signals = test::signals();
    CHECK(signals.ignored_at_entry(SIGHUP));
    ::kill(::getpid(), SIGHUP);
    ::kill(::getpid(), SIGUSR2);
    CHECK(signals.pending_stop() == 0);
    const auto signal = signals.next();
    REQUIRE(signal.has_value());
    CHECK(signal->number == SIGUSR2);
    CHECK_FALSE(signals.next().has_value());
}

TEST_CASE("what was ignored at entry is known also where proc does not tell") {
    const auto knows = [](bool refused) {
        test::Forked process([&] {
            ::signal(SIGUSR1, SIG_IGN);
            if (refused) {
                test::refuse_system_call(SYS_openat, ENOENT);
            }
            const os::Signals signals;
            ::_exit(signals.ignored_at_entry(SIGUSR1) && !signals.ignored_at_entry(SIGUSR2) ? 0 : 1);
        });
        return process.succeeded();
    };
    CHECK(knows(false));
    CHECK(knows(true));
}

TEST_CASE("children are noticed although SIGCHLD was ignored at entry") {
    ::signal(SIGCHLD, SIG_IGN);
    os::Events events(test::signals(), {});
    CHECK(sigismember(&test::signals().inherited().ignored, SIGCHLD) == 1);
    const os::SpawnResult child = os::spawn(test::request({"true", nullptr}));
    REQUIRE(child.started());
    const os::Event event = next_event(events);
    REQUIRE(std::holds_alternative<os::Signal>(event));
    CHECK(std::get<os::Signal>(event).number == SIGCHLD);
    const auto change = os::next_change(child.pid);
    REQUIRE(change.has_value());
    CHECK(os::WaitStatus::from(*change).success());
}

TEST_CASE("the SIGPIPE of our own write is not taken for one that was sent") {
    os::Signals& signals = test::signals();
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    ::close(ends[0]);
    CHECK(::write(ends[1], "x", 1) == -1);
    ::close(ends[1]);
    CHECK_FALSE(signals.next().has_value());
}

TEST_CASE("a deadline ends a wait in which nothing happens") {
    os::Events events(test::signals(), {});
    CHECK(std::holds_alternative<os::TimedOut>(events.wait(os::deadline_after(std::chrono::milliseconds(1)))));
}

TEST_CASE("the end of the reader of stdout is an event, once") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const int saved = ::dup(STDOUT_FILENO);
    ::dup2(ends[1], STDOUT_FILENO);
    ::close(ends[1]);
    os::Events events(test::signals(), {.caller = false, .stdout_reader = true});
    CHECK(std::holds_alternative<os::TimedOut>(events.wait(os::deadline_after(std::chrono::milliseconds(1)))));
    ::close(ends[0]);
    const os::Event gone = next_event(events);
    const os::Event after = events.wait(os::deadline_after(std::chrono::milliseconds(1)));
    ::dup2(saved, STDOUT_FILENO);
    ::close(saved);
    CHECK(std::holds_alternative<os::CallerGone>(gone));
    CHECK(std::holds_alternative<os::TimedOut>(after));
}

TEST_CASE("default actions are those of signal(7)") {
    CHECK(os::default_action(SIGWINCH) == os::DefaultAction::ignore);
    CHECK(os::default_action(SIGTSTP) == os::DefaultAction::stop);
    CHECK(os::default_action(SIGUSR1) == os::DefaultAction::end);
    CHECK(os::default_action(SIGRTMIN) == os::DefaultAction::end);
}

TEST_CASE("a wait ends with a signal that would end a program, and with no other") {
    for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGALRM}) {
        CHECK(os::ends_a_wait({number, false}) == number);
    }
    for (const int number : {SIGCHLD, SIGCONT, SIGWINCH}) {
        CHECK(os::ends_a_wait({number, true}) == 0);
    }
}

TEST_CASE("whoever waits stops on Ctrl+Z, and goes on waiting when it is continued") {
    test::Forked waiting([] {
        static_cast<void>(test::signals());
        ::setpgid(0, 0);
        test::expect(os::ends_a_wait({SIGTSTP, true}) == 0, "the wait has ended");
    });
    siginfo_t info = {};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(waiting.pid()), &info, WSTOPPED) == 0);
    CHECK(info.si_code == CLD_STOPPED);
    ::kill(waiting.pid(), SIGCONT);
    CHECK(waiting.succeeded());
}

TEST_CASE("a process is described with its name, whatever characters that has") {
    ::prctl(PR_SET_NAME, "a) R 1 (b", 0, 0, 0);
    const auto self = os::read_process(::getpid());
    REQUIRE(self.has_value());
    CHECK(self->name == "a) R 1 (b");
    CHECK(self->parent == ::getppid());
    CHECK(self->session == ::getsid(0));
    CHECK(self->group == ::getpgrp());
    CHECK(self->start_ticks > 0);
    CHECK_FALSE(os::read_process(0).has_value());
}

TEST_CASE("descendants are found at any depth, and a signal goes to the very process that was seen") {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    std::vector<const char*> argv{"/bin/sh", "-c", "sh -c 'echo; exec sleep 1000'; :", nullptr};
    os::SpawnRequest request = test::request(argv);
    request.stdio = os::Stdio{STDIN_FILENO, ends[1], STDERR_FILENO};
    const os::SpawnResult child = os::spawn(request);
    REQUIRE(child.started());
    char byte = 0;
    REQUIRE(::read(ends[0], &byte, 1) == 1); // the inner shell runs
    CHECK(os::has_children());
    auto found = os::descendants(::getpid());
    REQUIRE(found.size() == 2);
    CHECK(found[0].pid == child.pid);
    CHECK(found[1].parent == child.pid);

    os::ProcessInfo stranger = found[1];
    stranger.start_ticks -= 1;
    CHECK(os::send_signal(stranger, SIGKILL).how == os::Delivery::How::gone);
    CHECK(os::send_signal(found[1], SIGKILL).sent());
    CHECK(test::wait_for(child.pid).shell_code() == 0);
    os::reap_all();
    CHECK(os::descendants(::getpid()).empty());
    CHECK_FALSE(os::has_children());
}

TEST_CASE("a child that was just made tells what its parent alone was sent") {
    test::Forked parent([] {
        const os::Signals signals;
        const os::Fd status(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
        ::kill(::getpid(), SIGUSR1);
        test::Forked child([&] {
            ::kill(::getppid(), SIGUSR2);
            ::raise(SIGUSR2);
            ::kill(::getppid(), SIGRTMIN);
            ::raise(SIGTERM);
            const auto alone = os::pending_in_parent_alone(status.get());
            test::expect(alone.has_value(), "it is known");
            for (int signal = 1; signal <= SIGRTMAX; ++signal) {
                const bool expected = signal == SIGUSR1 || signal == SIGRTMIN;
                test::expect((::sigismember(&*alone, signal) == 1) == expected, "those two");
            }
        });
        test::expect(child.succeeded(), "the child");
    });
    CHECK(parent.succeeded());
}
