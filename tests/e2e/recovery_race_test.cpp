// Recoveries that meet each other, and recoveries that are killed.
#include "guard.hpp"
#include "reaping.hpp"

#include <nlohmann/json.hpp>

#include <csignal>

namespace finally_run::e2e {
namespace {

TEST_CASE("recoveries and next holders that start at once run each cleanup once") {
    for (const std::vector<std::string>& locks : {std::vector<std::string>{}, {"-l", "l"}, {"--lock-shared", "l"}}) {
        for (int round = 0; round < tries(4); ++round) {
            auto words = locks;
            words.insert(words.end(),
                         {"-c", "echo last >>log", "-c", "sleep .02; echo first >>log", "--", "helper", "pause"});
            const auto left = leave_unfinished(Run(words));
            auto next = locks;
            next.insert(next.end(), {"--", "true"});
            std::vector<Process> all;
            all.reserve(6);
            for (int i = 0; i < 6; ++i)
                all.push_back(Run(i % 2 == 0 ? std::vector<std::string>{"--recover"} : next).start());
            for (auto& process : all)
                CHECK(process.finish().status == 0);
            Run({"--recover"}).run(); // in case they have all met the first one at its work
            CHECK(log_text() == "first\nlast\n");
            CHECK(run_files().empty());
            fs::remove(work("log"));
        }
    }
}

TEST_CASE("recoveries and a next holder at once try what failed one after the other and lose none of it") {
    constexpr const char* alone =
        "mkdir busy || echo two at once >>log; echo tried >>log; sleep .02; rmdir busy; exit 7";
    Run({"-l", "l", "-c", "echo lower >>log; exit 8", "-c", alone, "--", "true"}).run();
    const fs::path journal = only_run_file();
    for (int round = 0; round < tries(4); ++round) {
        fs::remove(work("log"));
        std::vector<Process> all;
        all.push_back(Run({"--recover"}).start());
        all.push_back(Run({"-l", "l", "--", "true"}).start());
        all.push_back(Run({"--recover", journal.stem()}).start());
        std::vector<int> statuses;
        for (auto& process : all)
            statuses.push_back(process.finish().status);
        CHECK(statuses == std::vector{120, 0, 120});
        CHECK(log_text().find("two at once") == std::string::npos);
        CHECK(count(log_text(), "tried\n") >= 1);
        CHECK(count(log_text(), "tried\n") <= 3);
        CHECK(count(log_text(), "lower\n") == count(log_text(), "tried\n"));
        CHECK(only_run_file().stem() == journal.stem());
        const auto run = nlohmann::json::parse(Run({"--status", "--json"}).run().out).at("runs").at(0);
        CHECK(run.at("state") == "failed");
        CHECK(run.at("failed").size() == 2);
    }
}

TEST_CASE("no next holder begins before somebody has finished the killed run") {
    for (int round = 0; round < tries(4); ++round) {
        const auto left = leave_unfinished(
            Run({"-l", "l", "-c", "echo last >>log", "-c", "sleep .02; echo first >>log", "--", "helper", "pause"}));
        std::vector<Process> all;
        all.reserve(3);
        auto recovery = Run({"--recover"}).start();
        for (int i = 0; i < 3; ++i)
            all.push_back(Run({i == 0 ? "--lock-shared" : "-l", "l", "--", "cat", "log"}).start());
        for (auto& process : all)
            CHECK(process.finish().out == "first\nlast\n");
        CHECK(recovery.finish().status == 0);
        fs::remove(work("log"));
    }
}

TEST_CASE("who gets one lock of a killed run waits for whoever finishes it under another one") {
    make_fifo(work("fifo"));
    const auto left = leave_unfinished(Run({"-l", "a", "-l", "b", "-c", waiting, "--", "helper", "pause"}));
    auto stranger = Run::of({"flock", "--no-fork", state_dir() / "b", "helper", "pause"}).start();
    stranger.wait_for_line("READY");
    auto first = Run({"-l", "a", "--", "true"}).start();
    wait_for_log("begun");
    stranger.signal(SIGTERM);
    stranger.finish();
    auto second = Run({"-l", "b", "--", "cat", "log"}).start();
    wait_for_lock_waiters(left.journal, 1);
    release(work("fifo"));
    CHECK(second.finish().out == "begun\nended\n");
    CHECK(first.finish().status == 0);
}

TEST_CASE("two runs whose locks overlap with those of a killed run do not wait for each other for ever") {
    for (int round = 0; round < tries(4); ++round) {
        const auto left =
            leave_unfinished(Run({"-l", "a", "-l", "b", "-c", "echo cleaned >>log", "--", "helper", "pause"}));
        auto one = Run({"-l", "a", "--", "cat", "log"}).start();
        auto other = Run({"-l", "b", "--", "cat", "log"}).start();
        auto both = Run({"-l", "b", "-l", "a", "--", "cat", "log"}).start();
        auto recovery = Run({"--recover"}).start();
        for (Process* process : {&one, &other, &both})
            CHECK(process->finish().out == "cleaned\n");
        CHECK(recovery.finish().status == 0);
        fs::remove(work("log"));
    }
}

TEST_CASE("a recovery that is killed half-way is taken up by the next, which runs again only what was cut off") {
    make_fifo(work("fifo"));
    const auto left =
        leave_unfinished(Run({"-l", "l", "-c", "echo last >>log", "-c", "echo $$ >pid; " + std::string(waiting), "-c",
                              "echo first >>log", "--", "helper", "pause"}));
    auto first = Run({"--recover"}).start();
    wait_for_log("begun");
    first.signal(SIGKILL);
    first.finish();
    auto second = Run({"--recover"}).start();
    second.wait_for_err("recovering");
    CHECK(log_text() == "first\nbegun\n");
    ::kill(pid_in("pid"), SIGKILL);
    wait_for_log("begun\nbegun");
    release(work("fifo"));
    CHECK(second.finish().status == 0);
    CHECK(log_text() == "first\nbegun\nbegun\nended\nlast\n");
    CHECK(run_files().empty());
}

TEST_CASE("a recovery that is killed while it waits for the command's grace is taken up by the next") {
    const auto left =
        leave_alive(Run({"--grace", "30", "-l", "l", "-c", witness, "--", "helper", "grandchild", "pid", "TERM"}));
    auto first = Run({"--recover"}).start();
    wait_for_end(left.ready); // it obeys TERM, its child does not
    CHECK(alive(pid_in("pid")));
    first.signal(SIGKILL);
    first.finish();
    auto second = Run({"--recover"}).start();
    second.wait_for_err("recovering");
    ::kill(pid_in("pid"), SIGKILL);
    CHECK(second.finish().status == 0);
    CHECK(log_text() == "cleaned by recovery after lost\n");
}

TEST_CASE("a next holder that is killed while it recovers leaves the rest to the one after it") {
    make_fifo(work("fifo"));
    const auto left =
        leave_unfinished(Run({"-l", "l", "-c", "echo last >>log", "-c", waiting, "--", "helper", "pause"}));
    auto next = Run({"-l", "l", "--", "touch", "ran"}).start();
    wait_for_log("begun");
    next.signal(SIGKILL);
    next.finish();
    release(work("fifo"));
    wait_until("nobody is left", [] { return leftovers().empty(); });
    reap_adopted(); // else the one after it may see that it succeeded
    auto after = Run({"-l", "l", "--", "cat", "log"}).start();
    wait_for_log("ended\nbegun");
    release(work("fifo"));
    CHECK(after.finish().out == "begun\nended\nbegun\nended\nlast\n");
    CHECK_FALSE(fs::exists(work("ran")));
}

TEST_CASE("a signal to a recovery cuts no cleanup off, and stops what was to follow") {
    make_fifo(work("fifo"));
    const auto first = leave_unfinished(Run({"-c", "echo last >>log", "-c", waiting, "--", "helper", "pause"}));
    auto process = Run({"--recover"}).start();
    wait_for_log("begun");
    process.signal(SIGTERM);
    CHECK(process.wait_for_err("still cleaning up after TERM")
              .ends_with(": finally-run --stop " + first.id + " ends it"));
    release(work("fifo"));
    CHECK(process.finish().signal == SIGTERM);
    CHECK(log_text() == "begun\nended\nlast\n");
}

TEST_CASE("a run that is told to stop while it finishes another one finishes that and begins nothing") {
    make_fifo(work("fifo"));
    const auto left =
        leave_unfinished(Run({"-l", "l", "-c", "echo last >>log", "-c", waiting, "--", "helper", "pause"}));
    auto next = Run({"-l", "l", "-c", "echo mine >>log", "--", "touch", "ran"}).start();
    wait_for_log("begun");
    next.signal(SIGTERM);
    next.wait_for_err("still cleaning up after TERM");
    release(work("fifo"));
    CHECK(next.finish().signal == SIGTERM);
    CHECK(log_text() == "begun\nended\nlast\n");
    CHECK_FALSE(fs::exists(work("ran")));
}

} // namespace
} // namespace finally_run::e2e
