// Both finally-run and its guardian were killed: who finishes the run, and when.
#include "guard.hpp"
#include "support/opening.hpp"

#include <csignal>
#include <nlohmann/json.hpp>

namespace finally_run::e2e {
namespace {

Run killed(std::vector<std::string> locks) {
    locks.insert(locks.end(),
                 {"-c", "echo cleaned by $FINALLY_RUN_BY after $FINALLY_RUN_RESULT >>log", "--", "helper", "pause"});
    return Run(locks);
}

nlohmann::json status_of_runs() { return nlohmann::json::parse(Run({"--status", "--json"}).run().out).at("runs"); }

constexpr const char* recovered = "cleaned by recovery after lost\n";
constexpr const char* by_next_holder = "cleaned by next-holder after lost\n";

TEST_CASE("the next run that takes the same lock finishes the killed one first") {
    write_file(work("by-path"), "");
    for (const auto& [theirs, ours] :
         {std::pair{std::vector<std::string>{"-l", "l"}, std::vector<std::string>{"-l", "l"}},
          {{"-l", "./by-path"}, {"-l", work("by-path")}},
          {{"--lock-shared", "l"}, {"-l", "l"}},
          {{"-l", "l"}, {"--lock-shared", "l"}},
          {{"--lock-shared", "l"}, {"--lock-shared", "l"}},
          {{"-l", "a", "-l", "b"}, {"-l", "b"}},
          {{"-l", "b"}, {"-l", "a", "-l", "b"}}}) {
        const std::string last = theirs.back() + ", then " + ours.back();
        CAPTURE(last);
        const auto left = leave_unfinished(killed(theirs));
        auto words = ours;
        words.insert(words.end(), {"-s", "echo setup >>log", "--", "cat", "log"});
        const auto outcome = Run(words).run();
        CHECK(outcome.status == 0);
        CHECK(outcome.out == std::string(by_next_holder) + "setup\n");
        CHECK(lines(outcome.err).size() == 1);
        CHECK(outcome.err.find("finally-run: recovering run " + left.id + ": helper pause: 1 cleanup left") == 0);
        CHECK(run_files().empty());
        fs::remove(work("log"));
    }
}

TEST_CASE("a killed run is finished under all of its locks") {
    make_fifo(work("fifo"));
    const auto left = leave_unfinished(Run({"-l", "a", "-l", "b", "-c", waiting, "--", "helper", "pause"}));
    auto next = Run({"-l", "a", "--", "true"}).start();
    wait_for_log("begun");
    CHECK(is_locked(state_dir() / "a"));
    CHECK(is_locked(state_dir() / "b"));
    release(work("fifo"));
    CHECK(next.finish().status == 0);
    CHECK_FALSE(is_locked(state_dir() / "a"));
    CHECK_FALSE(is_locked(state_dir() / "b"));
}

TEST_CASE("a run without that lock does not finish the killed one, and says so once") {
    const auto left = leave_unfinished(killed({"-l", "l"}));
    const auto first = Run({"-l", "other", "--", "true"}).run();
    CHECK(first.status == 0);
    CHECK(lines(first.err).size() == 1);
    CHECK(first.err.find("finally-run: run " + left.id + " was left unfinished: helper pause: ") == 0);
    CHECK(first.err.find("--recover") != std::string::npos);
    for (const auto& words : {std::vector<std::string>{"-l", "other", "--", "true"}, {"--", "true"}})
        CHECK(Run(words).run().err.empty());
    CHECK(log_text().empty());
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == recovered);
    CHECK(run_files().empty());
}

TEST_CASE("a killed run of which was said that it is unfinished is still finished by the next holder of its lock") {
    const auto left = leave_unfinished(killed({"-l", "l"}));
    CHECK_FALSE(Run({"--", "true"}).run().err.empty());
    CHECK(Run({"-l", "l", "--", "true"}).run().status == 0);
    CHECK(log_text() == by_next_holder);
    CHECK(run_files().empty());
}

TEST_CASE("a run that is refused its lock finishes nothing") {
    auto holder = Run({"-l", "l", "--", "helper", "pause"}).start();
    holder.wait_for_line("READY");
    const auto left = leave_unfinished(killed({"-l", "other"}));
    CHECK(Run({"-n", "-l", "l", "-l", "other", "--", "true"}).run().status == 75);
    CHECK(log_text().empty());
}

TEST_CASE("what a start has told of it opens no more, but the next holder of the lock finds it, whatever way") {
    const auto left = leave_unfinished(killed({"-l", "l"}));
    fs::create_symlink(state_dir() / "l", work("link"));
    const test::Opening opening(left.journal);
    CHECK(Run({"--", "true"}).run().err.find("run " + left.id + " was left unfinished") != std::string::npos);
    CHECK(opening.count() > 0);
    for (const auto& words : {std::vector<std::string>{"--", "true"}, {"-l", "other", "--", "true"}}) {
        const auto outcome = Run(words).run();
        CHECK(outcome.status == 0);
        CHECK(outcome.err.empty());
        CHECK(opening.count() == 0);
    }
    CHECK(log_text().empty());
    CHECK(Run({"-l", "./link", "--", "true"}).run().status == 0);
    CHECK(log_text() == by_next_holder);
    CHECK(fs::is_empty(runs_dir()));
}

TEST_CASE("a run of which somebody was told is shown and stopped and recovered or forgotten as any other") {
    for (const char* action : {"--recover", "--forget"}) {
        const auto left = leave_unfinished(killed({"-l", "l"}));
        CHECK(Run({"--", "true"}).run().err.find(left.id) != std::string::npos);
        const auto run = status_of_runs().at(0);
        CHECK(run.at("id") == left.id);
        CHECK(run.at("state") == "unfinished");
        const auto stop = Run({"--stop", left.id}).run();
        CHECK(stop.status == 125);
        CHECK(stop.err.find("run " + left.id + " is not alive") != std::string::npos);
        CHECK(Run({action, left.id}).run().status == 0);
        CHECK(status_of_runs().empty());
        CHECK(fs::is_empty(runs_dir()));
    }
    CHECK(log_text() == recovered);
}

TEST_CASE("a run that is damaged after somebody was told of it is told of once more and forgotten whole") {
    const auto left = leave_unfinished(killed({"-l", "l"}));
    const auto says_it = [&] { return Run({"-l", "l", "--", "true"}).run().err.find(left.id) != std::string::npos; };
    CHECK(Run({"--", "true"}).run().err.find("run " + left.id + " was left unfinished") != std::string::npos);
    write_file(only_run_file(), "garbage\n", 0600);
    CHECK(says_it());
    CHECK_FALSE(says_it());
    CHECK(log_text().empty());
    CHECK(Run({"--forget", left.id}).run().status == 0);
    CHECK(fs::is_empty(runs_dir()));
}

TEST_CASE("a run that cannot be put among those that were told of is told of each time" * doctest::skip(sanitized)) {
    const auto left = leave_unfinished(killed({"-l", "l"}));
    const auto outcome = [] {
        return Run::of({"strace", "-o", "/dev/null", "-e", "inject=mkdir:error=ENOSPC", "finally-run", "--", "true"})
            .run();
    };
    for (int i = 0; i < 2; ++i)
        CHECK(outcome().err.find("run " + left.id + " was left unfinished") != std::string::npos);
    CHECK(outcome().status == 0);
    CHECK(Run({"-l", "l", "--", "true"}).run().status == 0);
    CHECK(log_text() == by_next_holder);
}

// With the lock of then it could not be alive; this one has been made anew.
TEST_CASE("a run is finished first although another start tells of it just then and its lock file is another one" *
          doctest::skip(sanitized)) {
    const auto left = leave_unfinished(killed({"-l", "l"}));
    fs::remove(state_dir() / "l");
    auto teller = Run::of({"strace", "-o", "/dev/null", "-e", "inject=renameat,renameat2:delay_enter=1000000:when=1",
                           "finally-run", "--", "true"})
                      .start();
    wait_until("it is being told of", [] { return fs::exists(runs_dir() / ".told"); });
    CHECK(status_of_runs().at(0).at("state") == "unfinished");
    const auto holder = Run({"-l", "l", "--", "sh", "-c", "echo holder >>log"}).run();
    CHECK(holder.status == 0);
    CHECK(log_text() == by_next_holder + std::string("holder\n"));
    CHECK(teller.finish().status == 0);
    CHECK(fs::is_empty(runs_dir()));
}

TEST_CASE("whoever recovers a run of another pid namespace is shown, whether somebody was told of that run or not") {
    for (const bool is_told : {false, true}) {
        CAPTURE(is_told);
        const auto left = leave_unfinished(Run({"-c", "touch begun; helper pause", "--", "helper", "pause"}));
        edit_journal(left.journal, [](journal::Record& record) {
            if (auto* const opened = std::get_if<journal::Opened>(&record))
                ++opened->pid_namespace;
        });
        if (is_told)
            CHECK(Run({"--", "true"}).run().err.find(left.id) != std::string::npos);
        auto recovery = Run({"--recover"}).start();
        wait_until("the cleanup has begun", [] { return fs::exists(work("begun")); });
        CHECK(status_of_runs().at(0).at("pid") == recovery.pid());
        for (const pid_t pid : test::descendants(recovery.pid()))
            ::kill(pid, SIGKILL);
        CHECK(recovery.finish().status == 120);
        CHECK(Run({"--forget", left.id}).run().status == 0);
        fs::remove(work("begun"));
    }
}

TEST_CASE("recover finishes all, the newest cleanup of each first, and says what it does") {
    const auto first = leave_unfinished(killed({"-l", "l"}));
    const auto second = leave_unfinished(killed({}));
    const auto outcome = Run({"--recover"}).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.find("recovering run " + first.id) != std::string::npos);
    CHECK(outcome.err.find("recovering run " + second.id) != std::string::npos);
    CHECK(log_text() == std::string(recovered) + recovered);
    CHECK(run_files().empty());
    const auto again = Run({"--recover"}).run();
    CHECK(again.status == 0);
    CHECK(again.err == "finally-run: nothing to recover: " + (case_dir() / "state/finally-run").string() + "\n");
}

TEST_CASE("recover finishes the runs that are named and no other") {
    const auto first = leave_unfinished(killed({}));
    const auto second = leave_unfinished(killed({}));
    CHECK(Run({"--recover", second.id}).run().status == 0);
    CHECK(log_text() == recovered);
    CHECK(only_run_file().stem() == first.id);
}

TEST_CASE("recover refuses a run that it does not know, and finishes the others that are named") {
    const auto left = leave_unfinished(killed({}));
    const std::string unknown = "20260101T000000-00000000";
    const auto outcome = Run({"--recover", unknown, left.id}).run();
    CHECK(outcome.status == 125);
    CHECK(outcome.err.find("finally-run: no such run: " + unknown +
                           ": it has ended well, or is in another state directory\n") == 0);
    CHECK(log_text() == recovered);
}

TEST_CASE("recover leaves a live run alone") {
    auto process = killed({"-l", "l"}).start();
    process.wait_for_line("READY");
    const std::string id = only_run_file().stem();
    const auto named = Run({"--recover", id}).run();
    CHECK(named.status == 125);
    CHECK(named.err.find("finally-run: run " + id + " is alive") == 0);
    const auto all = Run({"--recover"}).run();
    CHECK(all.status == 0);
    CHECK(all.err.starts_with("finally-run: nothing to recover: /"));
    CHECK(log_text().empty());
    process.signal(SIGTERM);
    process.finish();
    CHECK(log_text() == "cleaned by supervisor after stopped\n");
}

TEST_CASE("recover waits for the locks of a run as long as asked") {
    const auto left = leave_unfinished(killed({"-l", "a", "-l", "b"}));
    auto holder = Run::of({"flock", "--no-fork", state_dir() / "b", "helper", "pause"}).start();
    holder.wait_for_line("READY");
    const auto refused = Run({"--recover", "--no-wait"}).run();
    CHECK(refused.status == 75);
    CHECK(refused.err.find(left.id) != std::string::npos);
    CHECK(log_text().empty());
    auto patient = Run({"--recover"}).start();
    wait_for_lock_waiters(state_dir() / "b", 1);
    holder.signal(SIGTERM);
    CHECK(patient.finish().status == 0);
    CHECK(log_text() == recovered);
}

} // namespace
} // namespace finally_run::e2e
