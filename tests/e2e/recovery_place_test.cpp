// What a recovered cleanup runs in: directory, umask, environment, temporary directory.
#include "guard.hpp"

#include "support/hardship.hpp"
#include "support/needs.hpp"

#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace finally_run::e2e {
namespace {

Unfinished left_with(std::vector<std::string> args) {
    args.insert(args.end(), {"--", "helper", "pause"});
    return leave_unfinished(Run(std::move(args)));
}

Outcome recover_from_elsewhere() { return Run({"--recover"}).cwd(case_dir() / "home").run(); }

const std::string log_by_path = "\"$HOME/../work/log\"";

TEST_CASE("a recovered cleanup runs in the directory of the start, wherever recovery was called") {
    static_cast<void>(left_with({"-c", "pwd >>log", "-r", "relative"}));
    fs::create_directory(work("relative"));
    CHECK(recover_from_elsewhere().status == 0);
    CHECK(log_text() == work().string() + "\n");
    CHECK_FALSE(fs::exists(work("relative")));
}

TEST_CASE("if the directory is gone a recovered cleanup runs in a fresh empty one, and says so") {
    fs::create_directory(work("gone"));
    const auto left = leave_unfinished(
        Run({"-c", "ls -A | wc -l >>" + log_by_path + "; pwd >>" + log_by_path, "--", "helper", "pause"})
            .cwd(work("gone")));
    fs::remove(work("gone"));
    const auto outcome = recover_from_elsewhere();
    CHECK(outcome.status == 0);
    CHECK(outcome.err.find("finally-run: " + work("gone").string() + ": ") != std::string::npos);
    const auto said = lines(log_text());
    REQUIRE(said.size() == 2);
    CHECK(said.at(0) == "0");
    CHECK(said.at(1).find((case_dir() / "tmp").string()) == 0);
    CHECK_FALSE(fs::exists(said.at(1)));
}

TEST_CASE("where no time of birth is known another user's directory of the same number is a stranger's" *
          doctest::skip(sanitized)) {
    if (!test::needs(::geteuid() == 0, "the right to give directories away"))
        return;
    const auto no_birth = [] { test::refuse_system_call(SYS_statx, ENOSYS); };
    fs::create_directory(work("here"));
    const auto left = leave_unfinished(
        Run({"-c", "pwd >>" + log_by_path + "; rm -f precious", "-r", "precious", "--", "helper", "pause"})
            .cwd(work("here"))
            .before_exec(no_birth));
    write_file(work("here") / "precious", "");
    REQUIRE(::chown(work("here").c_str(), 54321, 54321) == 0); // as if the number had been given out again
    const auto outcome = Run({"--recover"}).cwd(case_dir() / "home").before_exec(no_birth).run();
    CHECK(outcome.status == 0);
    CHECK(log_text().find((case_dir() / "tmp").string()) == 0);
    CHECK(fs::exists(work("here") / "precious"));
}

TEST_CASE("a directory that has taken the place of the first one is a stranger's, and nothing is done in it") {
    fs::create_directory(work("here"));
    const auto left = leave_unfinished(
        Run({"-c", "pwd >>" + log_by_path + "; rm -f precious", "-r", "precious", "--", "helper", "pause"})
            .cwd(work("here")));
    fs::rename(work("here"), work("there"));
    fs::create_directory(work("here"));
    for (const char* place : {"here", "there"})
        write_file(work(place) / "precious", "");
    const auto outcome = recover_from_elsewhere();
    CHECK(outcome.status == 0);
    CHECK(count(outcome.err, work("here").string() + ": ") == 1);
    CHECK(log_text().find((case_dir() / "tmp").string()) == 0);
    CHECK(fs::exists(work("here") / "precious"));
    CHECK(fs::exists(work("there") / "precious"));
}

TEST_CASE("a recovered cleanup has the umask of the start") {
    const auto left = leave_unfinished(
        Run({"-c", "umask >>log; touch made", "--", "helper", "pause"}).before_exec([] { ::umask(027); }));
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "0027\n");
    struct stat info {};
    CHECK(::stat(work("made").c_str(), &info) == 0);
    CHECK((info.st_mode & 0777U) == 0640);
}

TEST_CASE("a recovered cleanup is told who it is, how the run ended and that recovery runs it") {
    const auto left = left_with({"-c", "echo $FINALLY_RUN_ID $FINALLY_RUN_BY $FINALLY_RUN_RESULT "
                                       "$FINALLY_RUN_EXIT_CODE $FINALLY_RUN_SIGNAL >>log"});
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == left.id + " recovery lost 137 KILL\n");
}

TEST_CASE("a recovered cleanup has the state directory of the run: a lock by name is the same lock") {
    const std::string place = case_dir() / "named";
    auto process = Run({"-c", "echo $FINALLY_RUN_STATE_DIR >>log", "--", "helper", "pause"})
                       .env("FINALLY_RUN_STATE_DIR", place)
                       .start();
    const auto ready = static_cast<pid_t>(number_after(process.wait_for_line("READY "), "READY "));
    kill_both(process.pid());
    ::kill(ready, SIGKILL);
    wait_for_end(ready);
    process.finish();
    CHECK(Run({"--recover", "--state-dir", place}).run().status == 0);
    CHECK(log_text() == place + "\n");
}

TEST_CASE("a temporary directory is there for the recovered cleanups, and gone after them") {
    static_cast<void>(left_with({"--temp-dir", "T", "-c", R"(touch "$T/x" && echo "$T" >>log)"}));
    CHECK(Run({"--recover"}).run().status == 0);
    const auto said = lines(log_text());
    REQUIRE(said.size() == 1);
    CHECK(said.front().find((case_dir() / "tmp").string()) == 0);
    CHECK_FALSE(fs::exists(said.front()));
}

TEST_CASE("recovery runs the cleanups for a failure and not those for a success") {
    static_cast<void>(left_with({"--on-success", "echo success >>log", "--on-failure", "echo failure >>log"}));
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "failure\n");
}

TEST_CASE("a recovered cleanup that hangs, forks or fails is reported, and the others run") {
    const auto left = left_with({"--cleanup-timeout", ".2", "--grace", ".1", "-c", "echo last >>log", "-c",
                                 "helper grandchild pid TERM", "-c", "helper orphan pid2", "-c", "exit 3", "-c",
                                 "no-such-program-anywhere"});
    const auto outcome = Run({"--recover"}).run();
    CHECK(outcome.status == 120);
    CHECK(log_text() == "last\n");
    CHECK(count(outcome.err, "finally-run: cleanup: ") == 4);
    CHECK_FALSE(alive(pid_in("pid")));
    CHECK(only_run_file().stem() == left.id);
}

TEST_CASE("a recovered cleanup is retried as often as the run was asked to") {
    static_cast<void>(left_with({"--cleanup-retries", "2", "-c", "echo try >>log; test $(wc -l <log) -ge 3"}));
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "try\ntry\ntry\n");
}

TEST_CASE("a recovered cleanup can defer another one, which runs next and in its directory") {
    static_cast<void>(left_with({"-c", "echo last >>log", "-c",
                                 "cd ../home && finally-run --defer 'pwd >>../work/log'; echo first >>../work/log"}));
    const auto outcome = Run({"--recover"}).run();
    CHECK(outcome.status == 0);
    CHECK(log_text() == "first\n" + (case_dir() / "home").string() + "\nlast\n");
}

TEST_CASE("a deferred cleanup is recovered in the directory of its caller") {
    fs::create_directory(work("sub"));
    static_cast<void>(
        leave_unfinished(Run({"--", "sh", "-c", "cd sub; finally-run --defer 'pwd >>../log' && exec helper pause"})));
    CHECK(recover_from_elsewhere().status == 0);
    CHECK(log_text() == work("sub").string() + "\n");
}

} // namespace
} // namespace finally_run::e2e
