#include "run/guardian.hpp"

#include "../main_args.hpp"
#include "../os/child.hpp"
#include "os/process.hpp"
#include "support/forked.hpp"
#include "support/hardship.hpp"
#include "support/sanitized.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <doctest/doctest.h>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <variant>
#include <vector>

using namespace finally_run;
using namespace std::chrono_literals;

namespace {

constexpr pid_t none = 0;

using Kin = run::Guardian::Kin;

// Of this process alone, whoever runs tests beside it.
std::string id_of_run() { return "the-id-" + std::to_string(::getpid()); }

// The guardian of this process, once it shows its name; none after a while.
pid_t guardian() {
    pid_t found = none;
    const std::string title = "finally-guard: of run " + id_of_run();
    static_cast<void>(test::comes_true([&] {
        for (const os::ProcessInfo& process : os::all_processes()) {
            const std::string words = os::read_proc_file(os::proc_path(process.pid, "cmdline"));
            if (process.name == "finally-guard" && words.c_str() == title) {
                found = process.pid;
            }
        }
        return found != none;
    }));
    return found;
}

bool has_children_of_any_kind() { return ::waitpid(-1, nullptr, WNOHANG | __WALL) >= 0 || errno != ECHILD; }

// A run with a guardian that says what it does.
struct Guarded {
    os::Events events{test::signals(), {}};
    test::Gate said;
    std::string failure;
    run::Guardian guardian;

    explicit Guarded(std::function<void()> take_over = {})
        : guardian(id_of_run(), test::main_args, events,
                   {[this] {
                        return std::vector{said.writer(), -1};
                    },
                    -1, 0, take_over ? std::move(take_over) : [this] { said.open("took over"); }}) {}

    void start(Kin kin = Kin::child) {
        guardian.start(kin, [this](std::string_view reason) { failure = reason; });
    }
    // Lets pass what has happened by now.
    void look_at_events() {
        while (!std::holds_alternative<os::TimedOut>(events.wait(os::deadline_after(1ms)))) {
        }
    }
};

} // namespace

TEST_CASE("a guardian has a name, a title and a session of its own") {
    Guarded run;
    run.start();
    CHECK(run.guardian.is_there());
    const pid_t pid = guardian();
    REQUIRE(pid != none);
    const auto process = os::read_process(pid);
    REQUIRE(process.has_value());
    CHECK(process->session == pid);
    CHECK(process->group == pid);
    const std::string words = os::read_proc_file(os::proc_path(pid, "cmdline"));
    CHECK(words.starts_with("finally-guard: of run " + id_of_run()));
    // Where the words of this process are few, those of the guardian reach into the place of its environment.
    CHECK(os::read_proc_file(os::proc_path(pid, "environ")).find('=') == std::string::npos);
    run.guardian.dismiss();
}

TEST_CASE("a guardian holds nothing open but stderr, its pipe and what it needs") {
    const test::TempDir dir;
    const int inherited = ::open("/dev/null", O_RDONLY); // not close-on-exec
    Guarded run;
    run.start();
    const pid_t pid = guardian();
    REQUIRE(pid != none);
    std::vector<std::string> open;
    for (const auto& entry : std::filesystem::directory_iterator(os::proc_path(pid, "fd"))) {
        open.push_back(entry.path().filename());
    }
    run.guardian.dismiss();
    ::close(inherited);
    CHECK(open.size() == 3);
    CHECK(std::ranges::count(open, std::to_string(STDERR_FILENO)) == 1);
    CHECK(std::ranges::count(open, std::to_string(run.said.writer())) == 1);
}

TEST_CASE("a guardian is no child for those who wait for any, and its end sends no signal") {
    Guarded run;
    run.start();
    const pid_t pid = guardian();
    REQUIRE(pid != none);
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
    CHECK(errno == ECHILD);
    CHECK_FALSE(os::has_children());
    CHECK(os::descendants(::getpid()).empty());
    ::kill(pid, SIGKILL);
    REQUIRE(test::comes_true([&] { return os::read_process(pid)->ended; }));
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
    CHECK_FALSE(test::signals().next().has_value());
    run.guardian.dismiss();
}

TEST_CASE("a guardian lives on whatever it is sent, short of SIGKILL") {
    Guarded run;
    run.start();
    const pid_t pid = guardian();
    REQUIRE(pid != none);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGALRM, SIGRTMIN}) {
        CHECK(::kill(pid, signal) == 0);
    }
    // Of a signal that would end it the kernel would have made a zombie within the call.
    CHECK(os::read_process(pid)->state == 'S');
    run.look_at_events();
    CHECK(guardian() == pid);
    run.guardian.dismiss();
}

TEST_CASE("a guardian that is killed takes over nothing, and is dismissed like one that lives") {
    Guarded run;
    run.start();
    const pid_t pid = guardian();
    REQUIRE(pid != none);
    run.guardian.kill();
    CHECK(test::comes_true([&] { return os::read_process(pid)->ended; }));
    run.guardian.dismiss();
    CHECK_FALSE(has_children_of_any_kind());
    CHECK(run.said.rest().empty());
}

TEST_CASE("a guardian that is dismissed takes over nothing, and neither it nor a zombie is left") {
    Guarded run;
    run.start();
    REQUIRE(guardian() != none);
    run.guardian.dismiss();
    CHECK_FALSE(run.guardian.is_there());
    CHECK_FALSE(has_children_of_any_kind());
    CHECK(run.said.rest().empty());
    run.guardian.dismiss();
    run.look_at_events();
    CHECK_FALSE(has_children_of_any_kind());
}

TEST_CASE("a guardian takes over when its supervisor has ended, however that went") {
    for (const bool killed : {false, true}) {
        CAPTURE(killed);
        test::Gate said;
        test::Gate ready;
        test::Forked supervisor([&] {
            Guarded run;
            std::swap(run.said, said);
            run.start();
            test::expect(guardian() != none, "no guardian");
            ready.open();
            if (killed) {
                ::pause();
            }
            ::_exit(0);
        });
        REQUIRE(ready.pass());
        if (killed) {
            supervisor.kill();
        } else {
            CHECK(supervisor.succeeded());
        }
        CHECK(said.rest() == "took over");
    }
}

TEST_CASE("a guardian takes over when its supervisor lets go of it") {
    test::Gate said;
    test::Forked supervisor([&] {
        {
            Guarded run;
            std::swap(run.said, said);
            run.start();
            test::expect(guardian() != none, "no guardian");
        }
        ::pause();
    });
    CHECK(said.rest() == "took over");
}

TEST_CASE("what is thrown in a guardian ends it, and nothing else") {
    test::Gate said;
    test::Forked supervisor([&] {
        Guarded run([] { throw std::runtime_error("take over"); });
        std::swap(run.said, said);
        run.start();
        test::expect(guardian() != none, "no guardian");
    });
    CHECK(supervisor.succeeded());
    CHECK(said.rest().empty());
}

TEST_CASE("a guardian that dies is replaced while we wait, again and again") {
    Guarded run;
    run.start();
    pid_t before = guardian();
    for (int time = 0; time < 5; ++time) {
        REQUIRE(before != none);
        ::kill(before, SIGKILL);
        REQUIRE(test::comes_true([&] { return os::read_process(before)->ended; }));
        run.look_at_events();
        CHECK_FALSE(os::read_process(before).has_value()); // reaped
        const pid_t after = guardian();
        CHECK(after != before);
        before = after;
    }
    CHECK(run.guardian.is_there());
    CHECK(run.failure.empty());
    run.guardian.dismiss();
    CHECK_FALSE(has_children_of_any_kind());
    CHECK(run.said.rest().empty());
}

TEST_CASE("a guardian that replaced another takes over like the first") {
    test::Gate said;
    test::Forked supervisor([&] {
        Guarded run;
        std::swap(run.said, said);
        run.start();
        const pid_t first = guardian();
        ::kill(first, SIGKILL);
        test::expect(test::comes_true([&] { return os::read_process(first)->ended; }), "it lives");
        run.look_at_events();
        test::expect(guardian() != none, "no guardian");
        ::_exit(0);
    });
    CHECK(supervisor.succeeded());
    CHECK(said.rest() == "took over");
}

TEST_CASE("a guardian that cannot be replaced is told of, once, and the run goes on without" *
          doctest::skip(test::sanitized)) {
    Guarded run;
    run.start();
    const pid_t pid = guardian();
    REQUIRE(pid != none);
    ::kill(pid, SIGKILL);
    REQUIRE(test::comes_true([&] { return os::read_process(pid)->ended; }));
    {
        const test::NoDescriptors full;
        run.look_at_events();
    }
    CHECK(run.failure == "Too many open files");
    CHECK_FALSE(run.guardian.is_there());
    run.failure.clear();
    run.look_at_events();
    CHECK(run.failure.empty());
    CHECK_FALSE(has_children_of_any_kind());
    run.guardian.dismiss();
}

TEST_CASE("a guardian that cannot be started at all is an error" * doctest::skip(test::sanitized)) {
    Guarded run;
    {
        const test::NoDescriptors full;
        CHECK_THROWS_AS(run.start(), std::system_error);
    }
    CHECK_FALSE(run.guardian.is_there());
}

namespace {

// In a process whose orphans become ours, and are reaped by us.
template <class Body> void with_us_as_adopter(const Body& body) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    const pid_t adopter = ::getpid();
    test::Forked supervisor([&] { body(adopter); });
    CHECK(supervisor.succeeded());
    CHECK(test::comes_true([] { return ::waitpid(-1, nullptr, WNOHANG) < 0; })); // the guardian has ended too
    ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

bool has_ended(pid_t pid) {
    const auto process = os::read_process(pid);
    return !process || process->ended;
}

} // namespace

TEST_CASE("a guardian that is nobody's child goes to whoever is given our orphans, and is gone when it is dismissed") {
    with_us_as_adopter([](pid_t adopter) {
        ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        Guarded run;
        run.start(Kin::nobodys);
        const pid_t pid = guardian();
        test::expect(pid != none && os::read_process(pid)->parent == adopter, "it has another parent");
        test::expect(os::read_process(pid)->session == pid, "it has no session of its own");
        test::expect(!has_children_of_any_kind(), "there is a child");
        int subreaper = 0;
        ::prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0);
        test::expect(subreaper == 1, "its orphans are not given to the supervisor any more");
        run.guardian.dismiss();
        test::expect(has_ended(pid) && !run.guardian.is_there(), "it lives");
        run.guardian.dismiss();
        run.look_at_events();
        test::expect(run.said.rest().empty(), "it has taken over");
    });
}

TEST_CASE("a guardian that is nobody's child takes over when its supervisor has ended") {
    test::Gate said;
    with_us_as_adopter([&](pid_t) {
        Guarded run;
        std::swap(run.said, said);
        run.start(Kin::nobodys);
        test::expect(guardian() != none, "no guardian");
        ::_exit(0);
    });
    CHECK(said.rest() == "took over");
}

TEST_CASE("a guardian that is nobody's child is replaced by a child, since there are others who may become orphans") {
    with_us_as_adopter([](pid_t) {
        Guarded run;
        run.start(Kin::nobodys);
        const pid_t before = guardian();
        ::kill(before, SIGKILL);
        test::expect(test::comes_true([&] { return has_ended(before); }), "it lives");
        run.look_at_events();
        const pid_t after = guardian();
        test::expect(after != none && after != before, "it was not replaced");
        test::expect(os::read_process(after)->parent == ::getpid(), "the new one is no child");
        run.guardian.dismiss();
        test::expect(!has_children_of_any_kind(), "a child is left");
    });
}

TEST_CASE("where a process cannot be followed by its descriptor a guardian that is nobody's child is dismissed all the "
          "same") {
    with_us_as_adopter([](pid_t) {
        test::refuse_system_call(SYS_pidfd_open, EPERM);
        Guarded run;
        run.start(Kin::nobodys);
        const pid_t pid = guardian();
        test::expect(pid != none, "no guardian");
        run.guardian.dismiss();
        test::expect(test::comes_true([&] { return has_ended(pid); }), "it lives");
    });
}
