#include "rescue/take_over.hpp"

#include "../os/child.hpp"
#include "../sample_stack.hpp"
#include "os/boot.hpp"
#include "os/process.hpp"
#include "support/forked.hpp"
#include "support/kernel.hpp"
#include "support/temp_dir.hpp"

#include <chrono>
#include <csignal>
#include <doctest/doctest.h>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace finally_run;
using namespace std::chrono_literals;

namespace {

using journal::Started;
using What = Started::What;
using Kind = plan::Cleanup::Kind;

// A run without a supervisor, and what becomes of it.
struct Abandoned {
    test::TempDir dir;
    plan::Plan plan;
    journal::Opened opened = test::first_record();
    journal::Origin origin = {};

    Abandoned() {
        ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        plan.verbosity = plan::Verbosity::quiet;
        plan.grace = 30s;
        opened.session = ::getsid(0);
        opened.stop_signal = SIGTERM;
    }

    // Appends a line to the file "order".
    [[nodiscard]] std::string saying(const std::string& text) const {
        return "echo \"" + text + "\" >>" + (dir / "order");
    }
    std::uint64_t add(const journal::Record& record) {
        const std::uint64_t offset = std::filesystem::file_size(file().path());
        file().append(record);
        return offset;
    }
    std::uint64_t add_cleanup(const std::string& text, Kind kind = Kind::command) {
        return add(journal::Registered{{.kind = kind, .text = text}});
    }
    journal::File& file() {
        if (!m_file) {
            m_file = journal::File::create(journal::Runs(dir / "state"), opened, false);
            m_file->publish();
        }
        return *m_file;
    }

    rescue::Rescued take_over(plan::Actor by = plan::Actor::guardian) {
        journal::State state;
        state.opened = opened;
        cleanup::Stack stack(std::move(file()), std::move(state), [](auto, auto) {});
        os::Environment environment(environ);
        environment.set("FINALLY_RUN_JOURNAL", stack.file().path().native());
        report::Narrator narrator(plan, environment.block(), opened.run_id);
        cleanup::Output output(dir / "log");
        os::Events events(test::signals(), {});
        const rescue::DeadRun orphan{
            .stack = stack, .plan = plan, .environment = environment, .output = output, .origin = origin};
        return rescue::take_over(by, orphan, events, narrator);
    }

    [[nodiscard]] std::string order() const { return test::read_file(dir / "order"); }
    [[nodiscard]] bool has_journal() const { return !journal::Runs(dir / "state").items().empty(); }

private:
    std::optional<journal::File> m_file;
};

// A shell's wait for whoever takes over, here this process, to wait in turn.
std::string until_we_sleep() {
    return "until grep -q '^State:.S' /proc/" + std::to_string(::getpid()) + "/status; do :; done; ";
}

// A process as the supervisor would have started it.
class Step {
public:
    explicit Step(const std::string& script, os::Placement placement = os::Placement::shared_group) {
        const std::vector<const char*> argv{"/bin/sh", "-c", script.c_str(), nullptr};
        test::Gate ready;
        os::SpawnRequest request = test::request(argv);
        request.placement = placement;
        request.stdio = os::Stdio{STDIN_FILENO, ready.writer(), STDERR_FILENO};
        request.in_child = [this] {
            m_id = {::getpid(), os::boot_nanoseconds()};
            return 0;
        };
        m_pid = os::spawn(request).pid;
        ready.close_writer();
        CHECK(ready.pass());
    }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;
    ~Step() {
        ::kill(m_pid, SIGKILL);
        ::waitpid(m_pid, nullptr, 0);
    }
    [[nodiscard]] bool lives() const {
        const auto process = os::read_process(m_pid);
        return process && !process->ended;
    }
    [[nodiscard]] pid_t pid() const { return m_pid; }
    [[nodiscard]] journal::ProcessId id() const { return m_id; }

private:
    pid_t m_pid = 0;
    journal::ProcessId m_id;
};

// A pid with which nobody has ever run.
constexpr journal::ProcessId ended{std::numeric_limits<pid_t>::max(), 1};

} // namespace

TEST_CASE("of a run that had not begun, or is over, nothing is run and the journal is taken away") {
    for (const bool begun : {false, true}) {
        Abandoned run;
        run.add_cleanup(run.saying("never"));
        if (begun) {
            run.add(Started{What::command, ended, 0});
            run.add(journal::Ended{{plan::Result::failure, 3, 0}});
            run.add(journal::Over{true});
        }
        const rescue::Rescued end = run.take_over();
        CHECK(end.failed == 0);
        CHECK(end.ending.exit_code == (begun ? 3 : 0));
        CHECK(run.order().empty());
        CHECK_FALSE(run.has_journal());
    }
}

TEST_CASE("what is left of the stack is run, last in first out, and the journal stays for what failed") {
    Abandoned run;
    run.add_cleanup(run.saying("first"));
    run.add(Started{What::command, ended, 0});
    const auto second = run.add_cleanup(run.saying("second"));
    run.add_cleanup("exit 3");
    const auto last = run.add_cleanup(run.saying("last"));
    run.add(journal::Ended{{plan::Result::success, 0, 0}});
    run.add(journal::CleanupEnded{last, ""});
    run.add(journal::CleanupEnded{second, "exit status 1"});
    CHECK(run.take_over().failed == 1);
    CHECK(run.order() == "first\n");
    CHECK(run.has_journal());
}

TEST_CASE("the cleanups are told how the command ended, if that was seen, and by whom they are run") {
    for (const auto& [by, name] : {std::pair(plan::Actor::guardian, "guardian"), {plan::Actor::recovery, "recovery"}}) {
        Abandoned run;
        run.add_cleanup(run.saying("$FINALLY_RUN_RESULT $FINALLY_RUN_EXIT_CODE $FINALLY_RUN_SIGNAL $FINALLY_RUN_BY"));
        run.add_cleanup(run.saying("on failure"), Kind::on_failure);
        run.add_cleanup(run.saying("on success"), Kind::on_success);
        run.add(Started{What::command, ended, 0});
        run.add(journal::Ended{{plan::Result::success, 0, 0}});
        const rescue::Rescued end = run.take_over(by);
        CHECK(end.ending == plan::Ending{plan::Result::success, 0, 0});
        CHECK(run.order() == std::string("on success\nsuccess 0  ") + name + "\n");
    }
}

TEST_CASE("how a command ended that nobody saw is lost, which is a failure") {
    Abandoned run;
    run.add_cleanup(run.saying("$FINALLY_RUN_RESULT $FINALLY_RUN_EXIT_CODE $FINALLY_RUN_SIGNAL $FINALLY_RUN_BY"));
    run.add_cleanup(run.saying("on failure"), Kind::on_failure);
    run.add_cleanup(run.saying("on success"), Kind::on_success);
    run.add(Started{What::command, ended, 0});
    CHECK(run.take_over().ending == plan::Ending{plan::Result::lost, 137, SIGKILL});
    CHECK(run.order() == "on failure\nlost 137 KILL guardian\n");
}

TEST_CASE("who takes over writes so down, and the end of the command, before the first cleanup") {
    Abandoned run;
    run.add(Started{What::command, ended, 0});
    run.add_cleanup("cp $FINALLY_RUN_JOURNAL " + (run.dir / "copy"));
    static_cast<void>(run.take_over(plan::Actor::recovery));
    const auto decoded = journal::decode(test::read_file(run.dir / "copy"), 0);
    journal::State state;
    state.apply(decoded.entries);
    REQUIRE(state.taken_over.has_value());
    CHECK(state.taken_over->by == plan::Actor::recovery);
    CHECK(state.taken_over->process.pid == ::getpid());
    REQUIRE(state.ending.has_value());
    CHECK(state.ending->result == plan::Result::lost);
    CHECK(state.cleaning.has_value());
    CHECK(state.stack.size() == 1);
}

TEST_CASE("the cleanups get the variables of the temporary directories, which are removed at their turn") {
    Abandoned run;
    const std::string scratch = run.dir / "scratch";
    std::filesystem::create_directory(scratch);
    run.add(journal::Registered{{.kind = Kind::temp_dir, .text = scratch, .variable = "SCRATCH"}});
    run.add_cleanup("test -d \"$SCRATCH\" && " + run.saying("$SCRATCH"));
    CHECK(run.take_over().failed == 0);
    CHECK(run.order() == scratch + "\n");
    CHECK_FALSE(std::filesystem::exists(scratch));
}

TEST_CASE("what is deferred while the successor cleans up runs next") {
    Abandoned run;
    run.add(Started{What::command, ended, 0});
    run.add_cleanup(run.saying("last"));
    // The journal itself is the way: as --defer would.
    const std::string record = run.dir / "record";
    test::write_file(record,
                     journal::encode(journal::Registered{{.kind = Kind::command, .text = run.saying("deferred")}}));
    run.add_cleanup("cat " + record + " >>$FINALLY_RUN_JOURNAL && " + run.saying("first"));
    CHECK(run.take_over().failed == 0);
    CHECK(run.order() == "first\ndeferred\nlast\n");
}

TEST_CASE("a command that lives is stopped with the signal that was chosen, before the first cleanup") {
    Abandoned run;
    run.opened.stop_signal = SIGINT;
    const Step step("trap '" + run.saying("stopped") + "; exit' INT; echo; while :; do sleep 0.05; done");
    run.add_cleanup(run.saying("cleaned"));
    run.add(Started{What::command, step.id(), 0});
    static_cast<void>(run.take_over());
    CHECK_FALSE(step.lives());
    CHECK(run.order() == "stopped\ncleaned\n");
}

TEST_CASE("a command that does not stop within the grace period is killed") {
    Abandoned run;
    run.opened.grace = 50ms;
    const Step step("trap '' TERM; echo; while :; do sleep 1000; done");
    run.add_cleanup("kill -0 " + std::to_string(step.pid()) + " && " + run.saying("it lives") + "; :");
    run.add(Started{What::command, step.id(), 0});
    static_cast<void>(run.take_over());
    CHECK_FALSE(step.lives());
    CHECK(run.order().empty());
}

TEST_CASE("where pids mean something else, no command and no cleanup of the run is looked for") {
    Abandoned run;
    run.origin.pids = journal::Pids::others;
    const Step stranger("echo; exec sleep 1000 >&-");
    const Step stranger_too("echo; exec sleep 1000 >&-", os::Placement::own_session);
    const auto id = run.add_cleanup(run.saying("cleaned"));
    run.add(Started{What::command, stranger.id(), 0});
    run.add(Started{What::cleanup, stranger_too.id(), id});
    static_cast<void>(run.take_over());
    CHECK(stranger.lives());
    CHECK(stranger_too.lives());
    CHECK(run.order() == "cleaned\n");
}

TEST_CASE("a process that got the pid of the command later is left alone") {
    Abandoned run;
    const Step stranger("echo; exec sleep 1000 >&-");
    run.add_cleanup(run.saying("cleaned"));
    run.add(Started{What::command, {stranger.pid(), 1}, 0});
    static_cast<void>(run.take_over());
    CHECK(stranger.lives());
    CHECK(run.order() == "cleaned\n");
}

TEST_CASE("a command that has ended is not stopped again, nor is a cleanup taken for one") {
    Abandoned run;
    const Step daemon("echo; exec sleep 1000 >&-");
    run.add_cleanup(run.saying("cleaned"));
    run.add(Started{What::command, daemon.id(), 0});
    run.add(journal::Ended{{plan::Result::success, 0, 0}});
    static_cast<void>(run.take_over());
    CHECK(daemon.lives());
    CHECK(run.order() == "cleaned\n");
}

namespace {

// A cleanup that lives when its run is taken over, and ends, after `words`, with that status. This process, which takes
// over, also adopts and reaps it.
struct Outliving {
    Outliving(Abandoned& run, const std::string& words, int status)
        : old("echo; until grep -q taken-over " + run.file().path().native() + "; do sleep 0.01; done; " +
                  until_we_sleep() + run.saying(words) + "; exit " + std::to_string(status),
              os::Placement::own_session) {
        run.add(Started{What::command, ended, 0});
        run.add_cleanup(run.saying("the rest"));
        id = run.add_cleanup(run.saying("once more"));
        run.add(Started{What::cleanup, old.id(), id});
    }

    Step old;
    std::uint64_t id = 0; // of the cleanup
};

} // namespace

TEST_CASE("a cleanup that still runs may end first and is run again unless the kernel tells that it succeeded") {
    for (const auto by : {plan::Actor::guardian, plan::Actor::recovery}) {
        Abandoned run;
        const Outliving it(run, "old one ends", 0);
        CHECK(run.take_over(by).failed == 0);
        CHECK_FALSE(it.old.lives());
        CHECK(run.order() ==
              (test::kernel_tells_exits() ? "old one ends\nthe rest\n" : "old one ends\nonce more\nthe rest\n"));
    }
}

TEST_CASE("a cleanup that still runs and fails is run again") {
    Abandoned run;
    const Outliving it(run, "old one fails", 7);
    CHECK(run.take_over().failed == 0);
    CHECK(run.order() == "old one fails\nonce more\nthe rest\n");
}

TEST_CASE("a cleanup that was handed over while it ran is let end and is not run again") {
    Abandoned run;
    const Outliving it(run, "handed over", 0);
    run.add(journal::HandedOver{});
    CHECK(run.take_over().failed == 0);
    CHECK_FALSE(it.old.lives());
    CHECK(run.order() == "handed over\nthe rest\n");
    CHECK_FALSE(run.has_journal());
}

TEST_CASE("a cleanup that was handed over while it ran and fails stays registered where the kernel tells") {
    Abandoned run;
    const Outliving it(run, "handed over", 7);
    run.add(journal::HandedOver{});
    CHECK(run.take_over().failed == (test::kernel_tells_exits() ? 1 : 0));
    CHECK(run.order() == "handed over\nthe rest\n");
    CHECK(run.has_journal() == test::kernel_tells_exits());
}

TEST_CASE("a cleanup that was asked to end while it ran has failed however it ends and nobody runs it again") {
    for (const auto by : {plan::Actor::guardian, plan::Actor::recovery}) {
        for (const bool handed_over : {false, true}) {
            Abandoned run;
            const Outliving it(run, "ends well", 0);
            run.add(journal::StopAsked{it.id});
            if (handed_over) {
                run.add(journal::HandedOver{});
            }
            CHECK(run.take_over(by).failed == 1);
            CHECK(run.order() == "ends well\nthe rest\n");
            CHECK(run.has_journal());
        }
    }
}

TEST_CASE("a cleanup that was cut off is run again, before those below it") {
    Abandoned run;
    run.add(Started{What::command, ended, 0});
    run.add_cleanup(run.saying("below"));
    const auto id = run.add_cleanup(run.saying("once more"));
    run.add(Started{What::cleanup, ended, id});
    CHECK(run.take_over().failed == 0);
    CHECK(run.order() == "once more\nbelow\n");
}

TEST_CASE("a cleanup that still runs has no more time than any other, and what it started goes with it") {
    Abandoned run;
    run.opened.cleanup_timeout = 50ms;
    const Step old("sleep 1000 >&- & echo; wait", os::Placement::own_session);
    const auto ends_in_group = [&] { return ::kill(-old.pid(), 0) == -1; };
    run.add(Started{What::command, ended, 0});
    const auto id = run.add_cleanup(run.saying("once more"));
    run.add(Started{What::cleanup, old.id(), id});
    static_cast<void>(run.take_over());
    CHECK_FALSE(old.lives());
    CHECK(ends_in_group());
    CHECK(run.order() == "once more\n");
}

TEST_CASE("a guardian that finds the journal damaged ends what bears the mark of the run, runs what it can read, and "
          "keeps the journal") {
    Abandoned run;
    run.opened.supervisor = {::getpid(), os::boot_nanoseconds()};
    run.add_cleanup(run.saying("before"));
    test::write_file(run.file().path(), test::read_file(run.file().path()) + "garbage\n");
    run.add_cleanup(run.saying("behind"));
    ::setenv("FINALLY_RUN_ID", run.opened.run_id.c_str(), 1);
    const Step marked("echo; exec sleep 1000");
    ::unsetenv("FINALLY_RUN_ID");
    const Step other("echo; exec sleep 1000");
    const rescue::Rescued end = run.take_over();
    CHECK(end.failed == 0);
    CHECK(run.order() == "behind\nbefore\n");
    CHECK_FALSE(marked.lives());
    CHECK(other.lives());
    CHECK(run.has_journal());
}

TEST_CASE("a guardian that cannot tell from a damaged journal whether anything had begun drops nothing") {
    Abandoned run;
    test::write_file(run.file().path(), test::read_file(run.file().path()) + "garbage\n");
    static_cast<void>(run.take_over());
    CHECK(run.has_journal());
}
