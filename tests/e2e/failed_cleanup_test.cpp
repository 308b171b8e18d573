// Cleanups that failed: they stay registered until they have succeeded or a person has dropped them.
#include "guard.hpp"
#include "support/opening.hpp"

#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <csignal>

namespace finally_run::e2e {
namespace {

// Fails with 7 until the file "mended" is there.
constexpr const char* fails = "echo broken; echo fails >>log; test -e mended || exit 7";

nlohmann::json runs() { return nlohmann::json::parse(Run({"--status", "--json"}).run().out).at("runs"); }

nlohmann::json only_run() {
    const auto found = runs();
    REQUIRE(found.size() == 1);
    return found.at(0);
}

// A run that has ended with a failed cleanup; its id.
std::string leave_failed(std::vector<std::string> words = {"-l", "d"}) {
    words.insert(words.end(), {"-c", "echo well >>log", "-c", fails, "-c", "echo first >>log", "--", "true"});
    CHECK(Run(words).run().status == 0);
    CHECK(log_text() == "first\nfails\nwell\n");
    fs::remove(work("log"));
    return only_run_file().stem();
}

TEST_CASE("a cleanup that failed stays registered, and the line that says so says what to do next") {
    const auto outcome = Run({"-l", "d", "-c", "exit 7", "--", "true"}).run();
    CHECK(outcome.status == 0);
    const std::string id = only_run_file().stem();
    CHECK(outcome.err == "finally-run: cleanup: exit 7: exit status 7: finally-run --recover " + id +
                             " tries again, --forget " + id + " drops it\n");
}

TEST_CASE("the status shows a failed run with its cleanup, status, attempts and lock, and what can be done") {
    CHECK(Run({"-l", "d", "--cleanup-retries", "1", "-c", "exit 7", "--", "true"}).run().status == 0);
    const std::string id = only_run_file().stem();
    const auto run = only_run();
    CHECK(run.at("id") == id);
    CHECK(run.at("state") == "failed");
    CHECK(run.at("cleanups").empty());
    CHECK(run.at("locks").at(0).at("name") == "d");
    REQUIRE(run.at("failed").size() == 1);
    const auto failure = run.at("failed").at(0);
    CHECK(failure.at("text") == "exit 7");
    CHECK(failure.at("exit_code") == 7);
    CHECK(failure.at("attempts") == 2);
    CHECK(failure.at("by") == "supervisor");
    const std::string table = Run({"--status"}).run().out;
    CHECK(table.find("failed") != std::string::npos);
    CHECK(table.find("exit status 7 in 2 attempts") != std::string::npos);
    CHECK(table.find("finally-run --recover\n") != std::string::npos);
    CHECK(table.find("finally-run --forget " + id + "\n") != std::string::npos);
}

TEST_CASE("what failed under the guardian is shown with its log, fails again with 120, and succeeds when mended") {
    auto process = Run({"-l", "d", "-c", fails, "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    process.close_err();
    kill_supervisor(process);
    CHECK(log_text() == "fails\n");
    auto run = only_run();
    CHECK(run.at("state") == "failed");
    CHECK(run.at("failed").at(0).at("exit_code") == 7);
    CHECK(run.at("failed").at(0).at("by") == "guardian");
    CHECK(run.at("locks").at(0).at("name") == "d");
    CHECK(read_file(run.at("log").get<std::string>()).find("broken\n") != std::string::npos);
    CHECK(Run({"--recover"}).run().status == 120);
    CHECK(log_text() == "fails\nfails\n");
    run = only_run();
    CHECK(run.at("state") == "failed");
    CHECK(run.at("failed").at(0).at("by") == "recovery");
    const std::string id = run.at("id");
    CHECK(Run({"-l", "d", "--", "true"}).run().err.find("--recover " + id + " tries again") != std::string::npos);
    CHECK(log_text() == "fails\nfails\nfails\n");
    write_file(work("mended"), "");
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "fails\nfails\nfails\nfails\n");
    CHECK(run_files().empty());
    CHECK(Run({"--status"}).run().out.find(id + "  helper pause: cleaned up by a recovery ") != std::string::npos);
}

TEST_CASE("the next holder of the lock tries again what failed and nothing else, says so, and goes on") {
    const std::string id = leave_failed();
    const auto again = Run({"-l", "d", "--", "echo", "ran"}).run();
    CHECK(again.status == 0);
    CHECK(again.out == "ran\n");
    CHECK(again.err.find("--recover " + id + " tries again") != std::string::npos);
    CHECK(log_text() == "fails\n");
    CHECK(only_run().at("failed").at(0).at("by") == "next-holder");
    write_file(work("mended"), "");
    CHECK(Run({"-l", "d", "--", "echo", "ran"}).run().out == "ran\n");
    CHECK(log_text() == "fails\nfails\n");
    CHECK(run_files().empty());
    CHECK(Run({"-l", "d", "--", "true"}).run().err.empty());
}

TEST_CASE("with --strict nothing begins while a cleanup of an earlier holder still fails") {
    const std::string id = leave_failed();
    const auto refused = Run({"--strict", "-l", "d", "-s", "echo setup", "--", "echo", "ran"}).run();
    CHECK(refused.status == 120);
    CHECK(refused.out.empty());
    CHECK(refused.err.find("setup") == std::string::npos);
    CHECK(log_text() == "fails\n");
    CHECK(Run({"--strict", "-l", "other", "--", "echo", "ran"}).run().out == "ran\n");
    write_file(work("mended"), "");
    CHECK(Run({"--strict", "-l", "d", "--", "echo", "ran"}).run().out == "ran\n");
}

TEST_CASE("a failed run without that lock is told of once") {
    const std::string id = leave_failed();
    const auto told = Run({"--", "true"}).run();
    CHECK(lines(told.err).size() == 1);
    CHECK(told.err.find("finally-run: run " + id + " has failed to clean up: ") == 0);
    CHECK(told.err.find("--forget " + id) != std::string::npos);
    CHECK(Run({"--", "true"}).run().err.empty());
    CHECK(log_text().empty());
}

TEST_CASE("to recover many runs that have failed opens each journal a few times, however many there are") {
    constexpr unsigned many = 12;
    for (unsigned i = 0; i < many; ++i) {
        Run({"-q", "-l", "d" + std::to_string(i % 2), "-c", "exit 7", "--", "true", std::to_string(i)}).run();
    }
    Run({"--", "true"}).run(); // tells of them
    const test::Opening opening(runs_dir());
    CHECK(Run({"--recover"}).run().status == 120);
    CHECK(run_files().size() == many);
    CHECK(opening.count() < 9 * many);
}

TEST_CASE("recovery tries failed cleanups as often and as long as it is asked to") {
    const std::string id = leave_failed();
    CHECK(Run({"--recover", "--cleanup-retries", "2", id}).run().status == 120);
    CHECK(log_text() == "fails\nfails\nfails\n");
    CHECK(only_run().at("failed").at(0).at("attempts") == 3);
    CHECK(Run({"--forget", id}).run().status == 0);
    Run({"-c", "helper pause", "--cleanup-timeout", ".01", "--", "true"}).run();
    const auto ended = Run({"--recover", "--cleanup-timeout", ".02"}).run();
    CHECK(ended.status == 120);
}

TEST_CASE("forgetting a failed run names what is dropped, and drops it") {
    const std::string id = leave_failed();
    const auto forgotten = Run({"--forget", id}).run();
    CHECK(forgotten.status == 0);
    CHECK(forgotten.err == std::string("finally-run: forgotten: cleanup: ") + fails + "\n");
    CHECK(run_files().empty());
    CHECK(Run({"-l", "d", "--", "true"}).run().err.empty());
    CHECK(log_text().empty());
}

TEST_CASE("a run that drops failed cleanups leaves nothing, whoever runs them") {
    const auto outcome = Run({"--failed-cleanups", "drop", "-c", "exit 7", "--", "true"}).run();
    CHECK(outcome.err == "finally-run: cleanup: exit 7: exit status 7\n");
    CHECK(run_files().empty());
    auto killed = Run({"--failed-cleanups", "drop", "-c", "exit 7", "--", "helper", "pause"}).start();
    killed.wait_for_line("READY");
    kill_supervisor(killed);
    CHECK(run_files().empty());
    static_cast<void>(leave_unfinished(Run({"--failed-cleanups", "drop", "-c", "exit 7", "--", "helper", "pause"})));
    CHECK(Run({"--recover"}).run().status == 120);
    CHECK(run_files().empty());
}

TEST_CASE("a wrong cleanup of a command that is started again and again leaves one run, another one a second") {
    for (int i = 0; i < 4; ++i)
        Run({"-c", "exit 7", "--", "true"}).run();
    CHECK(run_files().size() == 1);
    Run({"-c", "exit 8", "--", "true"}).run();
    CHECK(run_files().size() == 2);
    Run({"-c", "exit 7", "--", "echo"}).run();
    CHECK(run_files().size() == 3);
    fs::create_directory(work("sub"));
    Run({"-c", "exit 7", "--", "true"}).cwd(work("sub")).run();
    CHECK(run_files().size() == 4);
    auto killed = Run({"-c", "exit 7", "--", "helper", "pause"}).start();
    killed.wait_for_line("READY");
    kill_supervisor(killed);
    auto again = Run({"-c", "exit 7", "--", "helper", "pause"}).start();
    again.wait_for_line("READY");
    kill_supervisor(again);
    CHECK(run_files().size() == 5);
}

TEST_CASE("what failed before everybody was killed, and what had not run yet, are tried in the old order by recovery") {
    make_fifo(work("fifo"));
    auto process = Run({"-c", "echo last >>log", "-c", "echo waits >>log; test -e mended || read x <fifo", "-c", fails,
                        "-c", "echo well >>log", "--", "true"})
                       .start();
    wait_for_log("waits");
    kill_both(process);
    write_file(work("mended"), "");
    release(work("fifo"));
    wait_until("nobody is left", [] { return leftovers().empty(); });
    CHECK(log_text() == "well\nfails\nwaits\n");
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "well\nfails\nwaits\nfails\nwaits\nlast\n");
    CHECK(run_files().empty());
}

TEST_CASE("a killed run is ended before what failed in a newer one with its lock is tried again") {
    make_fifo(work("fifo"));
    for (const bool next_holder : {true, false}) {
        CAPTURE(next_holder);
        Run({"-l", "a", "-l", "b", "--", "true"}).run();
        const auto inode = [](const char* name) {
            struct stat info {};
            CHECK(::stat((state_dir() / name).c_str(), &info) == 0);
            return info.st_ino;
        };
        const bool a_comes_first = inode("a") < inode("b");
        const std::string first = a_comes_first ? "a" : "b";
        const std::string second = a_comes_first ? "b" : "a";
        auto other = Run({"-l", first, "--", "sh", "-c", "echo READY; read x <fifo"}).start();
        other.wait_for_line("READY");
        auto older = Run({"-l", "a", "-l", "b", "-c", "echo older >>log", "--", "helper", "pause"}).start();
        wait_for_lock_waiters(state_dir() / first, 1);
        Run({"-l", second, "-c", "echo newer >>log; exit 7", "--", "true"}).run();
        release(work("fifo"));
        older.wait_for_line("READY"); // it has tried again, too
        kill_both(older);
        fs::remove(work("log"));
        CHECK((next_holder ? Run({"-l", second, "--", "true"}) : Run({"--recover"})).run().status ==
              (next_holder ? 0 : 120));
        CHECK(log_text() == "older\nnewer\n");
        CHECK(Run({"--forget", only_run_file().stem()}).run().status == 0);
    }
}

TEST_CASE("recovery of what failed ends the holder first that was killed while it waited for the lock") {
    Run({"-l", "b", "-c", "echo failed >>log; exit 7", "--", "true"}).run();
    auto holder = Run({"-l", "b", "-c", "echo killed >>log", "--", "helper", "pause"}).start();
    holder.wait_for_line("READY");
    fs::remove(work("log"));
    auto recovery = Run({"--recover"}).start();
    wait_for_lock_waiters(state_dir() / "b", 1);
    kill_both(holder);
    CHECK(recovery.finish().status == 120);
    CHECK(log_text() == "killed\nfailed\n");
}

TEST_CASE("a cleanup that is tried again can defer another one, and a failed run takes no deferral") {
    Run({"-c", "finally-run --defer 'echo deferred >>log'; test -e mended", "--", "true"}).run();
    const fs::path journal = only_run_file();
    CHECK(log_text() == "deferred\n");
    const auto late = Run({"--defer", "echo late >>log"}).env("FINALLY_RUN_JOURNAL", journal).run();
    CHECK(late.status == 125);
    CHECK(late.err.find("already over") != std::string::npos);
    write_file(work("mended"), "");
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "deferred\ndeferred\n");
    CHECK(run_files().empty());
}

TEST_CASE("what cannot be forgotten is not called forgotten") {
    constexpr const char* script = R"sh(set -e
export FINALLY_RUN_STATE_DIR=$XDG_STATE_HOME/finally-run # by default one that is read-only is passed over
state=$FINALLY_RUN_STATE_DIR
mkdir -m 700 "$state"
mount -t tmpfs -o mode=0700 none "$state"
finally-run -q -c false -- true 2>/dev/null
finally-run -q -c true -- sh -c 'kill -9 $PPID; exec sleep 1000' || true
until test -e "$state"/.ended/*.journal; do sleep .01; done
until mount -o remount,ro "$state" 2>/dev/null; do sleep .01; done # the guardian has files open until its end
for journal in "$state"/.runs/*.journal "$state"/.ended/*.journal; do
    status=0
    finally-run --forget "$(basename "$journal" .journal)" || status=$?
    echo "status $status"
done)sh";
    const auto outcome = Run::of(unshare({"-m"}, {"sh", "-c", script})).run();
    CAPTURE(outcome.err);
    CHECK(outcome.out == "status 125\nstatus 125\n");
    CHECK(count(outcome.err, "journal: Read-only file system\n") == 2);
    CHECK(count(outcome.err, "forgotten: ") == 2); // those
}

TEST_CASE("a failure that cannot be recorded is said and the others run and nothing is lost") {
    const auto outcome =
        Run({"-c", "echo other >>log", "-c",
             "test -e once && exit 7; touch once; prlimit --pid $PPID --fsize=600; exit 7", "--", "true"})
            .run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err.find("cannot be recorded: File too large\n") != std::string::npos);
    CHECK(log_text() == "other\n");
    const auto status = [] { return nlohmann::json::parse(Run({"--status", "--json"}).run().out).at("runs").at(0); };
    const auto run = status();
    CHECK(Run({"--recover"}).run().status == 120);
    CHECK(status().at("id") == run.at("id"));
    CHECK(status().at("state") == "failed");
    CHECK(status().at("failed").at(0).at("exit_code") == 7);
}

// What the journal grows by is kept for it from the start; of each size, since small records fit into the page that
// it has already.
TEST_CASE("a disk that fills up during a run keeps neither a cleanup nor a failure from being recorded") {
    constexpr const char* script = R"sh(set -e
state=$XDG_STATE_HOME/finally-run
mkdir -m 700 "$state"
mount -t tmpfs -o size=64k,mode=0700 none "$state"
for size in 1 1000 2000 3000 4000; do
    pad=$(printf "%${size}s" x)
    rm -f log
    finally-run -c 'echo first >>log' -s "cat /dev/zero >'$state/full' 2>/dev/null; true" -c "echo second >>log #$pad" \
        -c 'exit 7' -- sh -c 'kill -STOP $PPID; for p in /proc/[0-9]*; do
            if grep -aqs "^finally-guard: of run $FINALLY_RUN_ID" $p/cmdline; then kill -9 ${p#/proc/}; fi
        done; kill -9 $PPID' || true
    rm "$state/full"
    test ! -e log
    finally-run --recover || echo "recovered $?"
    cat log
    finally-run --status --json | grep '"exit_code"'
    finally-run -q --forget $(basename "$state"/.runs/.told/*.journal .journal)
done)sh";
    const auto outcome = Run::of(unshare({"-m"}, {"sh", "-c", script})).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err.find("recorded") == std::string::npos);
    CHECK(count(outcome.out, "recovered 120\nsecond\nfirst\n") == 5);
}

TEST_CASE("a run whose journal may not grow as it needs does not begin") {
    const auto outcome = Run({"-s", "touch ran", "-c", std::string(9000, 'x'), "--", "touch", "ran"})
                             .before_exec([] {
                                 const rlimit little{8192, RLIM_INFINITY};
                                 ::setrlimit(RLIMIT_FSIZE, &little);
                             })
                             .run();
    CHECK(outcome.status == 125);
    CHECK(lines(outcome.err).size() == 1);
    CHECK(outcome.err.find(": File too large\n") != std::string::npos);
    CHECK_FALSE(fs::exists(work("ran")));
    CHECK(run_files().empty());
}

TEST_CASE("a user that is not root tries again what has failed") {
    write_file(work("log"), "", 0666);
    fs::permissions(work(), fs::perms::all);
    const auto run = [](std::vector<std::string> words) {
        return Run(std::move(words)).before_exec(without_root_powers).run();
    };
    CHECK(run({"-c", fails, "--", "true"}).status == 0);
    CHECK(run({"--recover"}).status == 120);
    write_file(work("mended"), "");
    const auto outcome = run({"--recover"});
    CHECK(outcome.status == 0);
    CHECK(outcome.err.find("cannot be recorded") == std::string::npos);
    CHECK(log_text() == "fails\nfails\nfails\n");
    CHECK(run_files().empty());
}

} // namespace
} // namespace finally_run::e2e
