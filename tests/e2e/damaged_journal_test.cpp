// A journal that is damaged, or cannot be read, while its run lives: what was acknowledged runs or is a leftover, the
// command is gone before, and nobody but --forget takes the journal away.
#include "guard.hpp"

#include "journal/file.hpp"
#include "support/hardship.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>

namespace finally_run::e2e {
namespace {

// A command that defers, damages the journal, defers again, and stays.
std::string damaging(const std::string& damage) {
    return "finally-run --defer 'echo before >>log' && " + damage +
           " && finally-run --defer 'echo behind >>log' && echo $$ >pid && exec helper pause";
}

const std::string garbage = R"(printf 'garbage\n' >>"$FINALLY_RUN_JOURNAL")";
const std::string cut = R"(: >"$FINALLY_RUN_JOURNAL")";

Run run_with(const std::string& script, std::vector<std::string> options = {}) {
    options.insert(options.end(), {"-l", "l", "-c", witness, "--", "sh", "-c", script});
    return Run(std::move(options));
}

// Who reads its journal, whose descriptor is 64 or higher, gets EIO; the dynamic loader does not.
Run cannot_read(Run run) {
    return run.before_exec([] { test::refuse_system_call(SYS_pread64, EIO, 0, 64); });
}

// The lock is free, and the journal is there, damaged: --status shows it, --recover executes nothing of it, --forget
// drops it.
void check_damaged_leftover() {
    CHECK(leftovers().empty());
    CHECK_FALSE(is_locked(state_dir() / "l"));
    const std::string before = log_text();
    const auto journal = only_run_file();
    CHECK(Run({"--status"}).run().out.find("damaged") != std::string::npos);
    CHECK(Run({"--recover"}).run().status == 125);
    CHECK(log_text() == before);
    CHECK(fs::exists(journal));
    CHECK(Run({"--forget", journal.stem()}).run().status == 0);
    CHECK(run_files().empty());
}

constexpr const char* said_by_guardian = "behind\nbefore\ncleaned by guardian after lost\n";

TEST_CASE("after a kill -9 the guardian runs what stands around garbage in the journal, and keeps the journal") {
    for (const std::string bytes : {R"(garbage\n)", R"(garbage)", R"(\000\000x)", R"(\03600000020 00000000 x\n)"}) {
        CAPTURE(bytes);
        auto process = run_with(damaging("printf '" + bytes + R"(' >>"$FINALLY_RUN_JOURNAL")")).start();
        process.wait_for_line("READY");
        const auto outcome = kill_supervisor(process);
        CHECK(log_text() == said_by_guardian);
        CHECK_MESSAGE(outcome.err.find("cannot be read to its end, cleanups may be missing: damaged at byte ") !=
                          std::string::npos,
                      outcome.err);
        CHECK(outcome.err.find("--forget drops it") != std::string::npos);
        check_damaged_leftover();
        fs::remove(work("log"));
    }
}

TEST_CASE("a new guardian runs what stands around garbage too") {
    auto process = run_with(damaging(garbage)).start();
    process.wait_for_line("READY");
    const pid_t first = guardian_of(process.pid());
    ::kill(first, SIGKILL);
    static_cast<void>(guardian_of(process.pid(), first));
    kill_supervisor(process);
    CHECK(log_text() == said_by_guardian);
    check_damaged_leftover();
}

TEST_CASE("finally-run itself runs what stands around garbage, and keeps the journal, and --strict does not pass") {
    for (const bool strict : {false, true}) {
        const std::string script =
            "finally-run --defer 'echo before >>log' && " + garbage + " && finally-run --defer 'echo behind >>log'";
        const auto outcome =
            run_with(script, strict ? std::vector<std::string>{"--strict"} : std::vector<std::string>{}).run();
        CHECK(outcome.status == (strict ? 120 : 0));
        CHECK(log_text() == "behind\nbefore\ncleaned by supervisor after success\n");
        check_damaged_leftover();
        fs::remove(work("log"));
    }
}

TEST_CASE("with garbage in the journal and both killed nothing is executed any more, and all is left to a person") {
    const auto run = leave_unfinished(run_with(damaging(garbage)));
    CHECK(log_text().empty());
    check_damaged_leftover();
}

TEST_CASE(
    "in a journal that was cut nothing is deferred, and after a kill -9 the command is ended and the journal stays") {
    auto process =
        run_with(cut + "; finally-run --defer true; echo $? >refused; echo $$ >pid; exec helper pause").start();
    process.wait_for_line("READY");
    CHECK(read_file(work("refused")) == "125\n");
    const pid_t command = pid_in("pid");
    const auto outcome = kill_supervisor(process);
    CHECK_FALSE(alive(command));
    CHECK_MESSAGE(outcome.err.find("it has shrunk") != std::string::npos, outcome.err);
    check_damaged_leftover();
}

TEST_CASE("a cleanup that cuts the journal runs once, the others after it, and the journal stays") {
    const auto outcome =
        Run({"-l", "l", "-c", "echo last >>log", "-c", cut + "; echo first >>log", "--", "true"}).run();
    CHECK(outcome.status == 0);
    CHECK(log_text() == "first\nlast\n");
    CHECK_MESSAGE(outcome.err.find("it has shrunk") != std::string::npos, outcome.err);
    check_damaged_leftover();
}

TEST_CASE("a guardian that gets EIO ends the command and leaves every cleanup to recovery") {
    auto process = cannot_read(run_with("echo $$ >pid; exec helper pause")).start();
    process.wait_for_line("READY");
    const pid_t command = pid_in("pid");
    journal::File::open(only_run_file()).append(journal::Registered{{plan::Cleanup::Kind::command, "echo late >>log"}});
    const auto outcome = kill_supervisor(process);
    CHECK_FALSE(alive(command));
    CHECK(log_text().empty());
    CHECK(outcome.err.find("cannot be read to its end, cleanups may be missing: Input/output error") !=
          std::string::npos);
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "late\ncleaned by recovery after lost\n");
    CHECK(run_files().empty());
}

TEST_CASE("finally-run that gets EIO runs its own cleanups once and leaves the deferred ones to recovery") {
    auto process = cannot_read(run_with("helper pause")).start();
    process.wait_for_line("READY");
    journal::File::open(only_run_file()).append(journal::Registered{{plan::Cleanup::Kind::command, "echo late >>log"}});
    process.signal(SIGTERM);
    process.finish();
    CHECK(log_text() == "cleaned by supervisor after stopped\n");
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "cleaned by supervisor after stopped\nlate\n");
    CHECK(run_files().empty());
}

TEST_CASE("cleanups that do not fit into memory at once all run, under finally-run and under its guardian" *
          doctest::skip(sanitized)) {
    constexpr int many = 200; // 24 MB of them, with 16 for all
    const std::string defer = "pad=$(head -c 120000 /dev/zero | tr '\\0' x); i=0; while test $i -lt " +
                              std::to_string(many) +
                              "; do i=$((i+1)); finally-run --defer \"echo $i. >>log; : $pad\" "
                              "|| exit 9; done; ";
    for (const bool killed : {false, true}) {
        CAPTURE(killed);
        auto process = run_with(defer + "echo $$ >pid; exec helper pause")
                           .before_exec([] {
                               constexpr rlim_t most = 16'384'000;
                               const rlimit limit{most, most};
                               ::setrlimit(RLIMIT_AS, &limit);
                           })
                           .start();
        process.wait_for_line("READY");
        if (killed) {
            kill_supervisor(process);
        } else {
            process.signal(SIGTERM);
            process.finish();
        }
        const std::string log = "\n" + log_text();
        for (int i = 1; i <= many; ++i) {
            CHECK_MESSAGE(count(log, "\n" + std::to_string(i) + ".\n") == 1, i);
        }
        CHECK(log.find(killed ? "cleaned by guardian after lost\n" : "cleaned by supervisor after stopped\n") !=
              std::string::npos);
        CHECK(log.find("alive") == std::string::npos);
        CHECK(run_files().empty());
        fs::remove(work("log"));
    }
}

TEST_CASE("a cleanup that kills whoever runs it is given up after three, and the run that comes then goes on") {
    auto process =
        Run({"-l", "l", "-c", "echo last >>log", "-c", "echo begun >>log; kill -9 $PPID; false", "--", "true"}).start();
    finish_with_guardian(process);
    CHECK(log_text() == "begun\nbegun\n");
    CHECK(Run({"-l", "l", "--", "touch", "ran"}).run().status == 137);
    CHECK_FALSE(fs::exists(work("ran")));
    const auto outcome = Run({"-l", "l", "--", "touch", "ran"}).run();
    CHECK(outcome.status == 0);
    CHECK(fs::exists(work("ran")));
    CHECK(log_text() == "begun\nbegun\nbegun\nlast\n");
    CHECK_MESSAGE(outcome.err.find("begun 3 times and never finished") != std::string::npos, outcome.err);
    CHECK(run_files().size() == 1); // it has failed, and stays registered
}

TEST_CASE("a live run is not forgotten, whatever the mode of its journal") {
    for (const mode_t mode : {0644U, 0660U}) {
        auto process = Run({"-l", "l", "-c", witness, "--", "helper", "pause"}).start();
        process.wait_for_line("READY");
        const auto journal = only_run_file();
        fs::permissions(journal, static_cast<fs::perms>(mode));
        const auto outcome = Run({"--forget", journal.stem()}).run();
        CHECK(outcome.status == 125);
        CHECK(outcome.err.find("is alive") != std::string::npos);
        CHECK(fs::exists(journal));
        process.signal(SIGTERM);
        process.finish();
        CHECK(log_text() == "cleaned by supervisor after stopped\n");
        CHECK(run_files().empty());
        fs::remove(work("log"));
    }
}

} // namespace
} // namespace finally_run::e2e
