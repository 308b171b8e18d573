#include "supervise/aftermath.hpp"

#include "../os/child.hpp"
#include "os/reminder.hpp"
#include "support/forked.hpp"

#include <cerrno>
#include <csignal>
#include <doctest/doctest.h>
#include <string>
#include <sys/prctl.h>
#include <unistd.h>
#include <vector>

using namespace finally_run;
using namespace std::chrono_literals;
using supervise::Aftermath;
using supervise::Notice;

namespace {

// All signals are blocked, in us and in what we fork.
void wait_for(int signal) {
    sigset_t one;
    ::sigemptyset(&one);
    ::sigaddset(&one, signal);
    int got = 0;
    ::sigwait(&one, &got);
}

struct Ended {
    std::vector<Notice> notices;
    Aftermath::Waited waited{};
    Ended() {
        static_cast<void>(test::signals());
        ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    }
    void stop(const supervise::Members& members, const os::Deadline& deadline,
              const std::function<void(const Notice&)>& on_notice = {}, const supervise::Members& awaited = {}) {
        os::Events events(test::signals(), {});
        Aftermath rest(events, {.members = members, .awaited = awaited, .notify = [&](const Notice& notice) {
                                    notices.push_back(notice);
                                    if (on_notice) {
                                        on_notice(notice);
                                    }
                                }});
        waited = rest.stop({.signal = SIGTERM}, deadline);
    }
};

std::vector<os::ProcessInfo> all_of_ours() { return os::descendants(::getpid()); }

} // namespace

TEST_CASE("what was forked just as we looked for whom to stop is told too") {
    Ended end;
    test::Gate said;
    test::Gate ready;
    test::Forked parent([&] {
        if (::fork() == 0) {
            ready.open();
            wait_for(SIGTERM);
            said.open("told");
            ::_exit(0);
        }
        wait_for(SIGTERM);
    });
    REQUIRE(ready.pass());
    int looks = 0;
    end.stop(
        [&] {
            auto found = all_of_ours();
            if (++looks == 1) {
                std::erase_if(found, [&](const os::ProcessInfo& process) { return process.pid != parent.pid(); });
            }
            return found;
        },
        os::deadline_after(30s));
    CHECK(end.waited == Aftermath::Waited::gone);
    CHECK(end.notices.empty());
    CHECK(said.rest() == "told");
}

TEST_CASE("who is to stop is told once, however often we look") {
    Ended end;
    test::Gate said;
    test::Gate ready;
    test::Gate go;
    const test::Forked process([&] {
        ready.open();
        wait_for(SIGTERM);
        said.open("told ");
        static_cast<void>(go.pass());
        sigset_t pending;
        ::sigpending(&pending);
        said.open(::sigismember(&pending, SIGTERM) == 1 ? "twice" : "once");
    });
    REQUIRE(ready.pass());
    int looks = 0;
    end.stop(
        [&] {
            auto found = all_of_ours();
            if (++looks == 2) {
                go.open();
            }
            return looks == 1 ? std::vector{found.front(), found.front()} : found;
        },
        os::deadline_after(30s));
    CHECK(looks >= 2);
    CHECK(said.rest() == "told once");
}

TEST_CASE("what a process starts in order to end in its own way is not told as long as the process is there") {
    Ended end;
    test::Gate said;
    test::Gate ready;
    test::Gate started;
    const test::Forked process([&] {
        ready.open();
        wait_for(SIGTERM);
        if (::fork() == 0) {
            started.open();
            wait_for(SIGTERM);
            said.open("told");
            ::_exit(0);
        }
        ::pause();
    });
    REQUIRE(ready.pass());
    int looks = 0;
    end.stop(
        [&] {
            if (++looks == 2) {
                static_cast<void>(started.pass());
            }
            return all_of_ours();
        },
        os::deadline_after(300ms));
    CHECK(end.waited == Aftermath::Waited::gone);
    CHECK(said.rest().empty());
    REQUIRE(end.notices.size() == 2); // both were killed, and named
    CHECK(end.notices[0].what == Notice::What::killed);
    CHECK(end.notices[0].process.pid == process.pid());
}

TEST_CASE("who cannot be signalled is named once and waited for" * doctest::skip(::geteuid() != 0)) {
    test::Forked user([] {
        Ended end;
        test::Gate go;
        const test::Forked of_root([&] { static_cast<void>(go.pass()); });
        constexpr uid_t nobody = 65534;
        test::expect(::setresuid(nobody, nobody, nobody) == 0, "setresuid");
        bool deadline_passed = false;
        end.stop(
            [&] {
                auto found = all_of_ours();
                if (deadline_passed) { // SIGKILL has been refused as well
                    go.open();
                }
                deadline_passed = deadline_passed || !end.notices.empty();
                return found;
            },
            os::deadline_after(50ms));
        test::expect(end.waited == Aftermath::Waited::gone, "it was not waited for");
        test::expect(end.notices.size() == 1, "not said once");
        test::expect(end.notices[0].what == Notice::What::refused && end.notices[0].error == EPERM, "not refused");
        test::expect(end.notices[0].process.pid == of_root.pid(), "another process");
    });
    CHECK(user.succeeded());
}

TEST_CASE("who is only awaited is never signalled") {
    Ended end;
    test::Gate said;
    test::Gate go;
    const test::Forked awaited([&] {
        static_cast<void>(go.pass());
        sigset_t pending;
        ::sigpending(&pending);
        said.open(::sigismember(&pending, SIGTERM) == 1 ? "told" : "left alone");
    });
    const test::Forked other([] { ::pause(); });
    const auto ours = [&](bool is_awaited) {
        auto found = all_of_ours();
        std::erase_if(found, [&](const auto& process) { return (process.pid == awaited.pid()) != is_awaited; });
        return found;
    };
    end.stop([&] { return ours(false); }, os::deadline_after(50ms), [&](const Notice&) { go.open(); },
             [&] { return ours(true); });
    CHECK(end.waited == Aftermath::Waited::gone);
    REQUIRE(end.notices.size() == 1);
    CHECK(end.notices[0].process.pid == other.pid());
    CHECK(said.rest() == "left alone");
}

TEST_CASE("a long wait is spoken of after ten seconds, and again after pauses that grow") {
    const os::Clock::time_point start{};
    os::Reminder reminder(start);
    std::vector<int> said;
    for (int second = 0; second < 200; ++second) {
        if (reminder.is_due(start + std::chrono::seconds(second))) {
            said.push_back(second);
        }
    }
    CHECK(said == std::vector{10, 30, 70, 150});
    CHECK(reminder.so_far(start + 20s) == 20s);
    int day = 0;
    for (int second = 200; second < 86400; ++second) {
        day += reminder.is_due(start + std::chrono::seconds(second)) ? 1 : 0;
    }
    CHECK(day > 40); // every half an hour at least
    CHECK(day < 60);
}

TEST_CASE("a wait that nothing has announced is spoken of sooner and then as any other") {
    const os::Clock::time_point start{};
    os::Reminder reminder(start, 3s);
    std::vector<int> said;
    for (int second = 0; second < 200; ++second) {
        if (reminder.is_due(start + std::chrono::seconds(second))) {
            said.push_back(second);
        }
    }
    CHECK(said == std::vector{3, 13, 33, 73, 153});
}
