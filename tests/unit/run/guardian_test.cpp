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
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <variant>
#include <vector>

using namespace finally_run;
using namespace std::chrono_literals;

namespace {

constexpr pid_t none = 0;

// The guardian of this process, once it shows its name; none after a while.
pid_t guardian() {
    pid_t found = none;
    static_cast<void>(test::comes_true([&] {
        for (const os::ProcessInfo& process : os::all_processes()) {
            if (process.parent == ::getpid() && process.name == "finally-guard") {
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

    explicit Guarded(run::Guardian::TakeOver take_over = {})
        : guardian(
              "the-id", test::main_args, events, [this] { return settle(); },
              take_over ? std::move(take_over) : [this] { said.open("took over"); }) {}

    void start() {
        guardian.start([this](std::string_view reason) { failure = reason; });
    }
    [[nodiscard]] std::vector<int> settle() const {
        static char* no_environment[] = {nullptr};
        environ = no_environment;
        return {said.writer(), -1};
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
    CHECK(words.starts_with("finally-guard: of run the-id"));
    CHECK(os::read_proc_file(os::proc_path(pid, "environ")).find_first_not_of('\0') == std::string::npos);
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
