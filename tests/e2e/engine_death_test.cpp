// Locks at an engine, and somebody who dies, stops or is in the way at the worst moment.
#include "engine.hpp"

#include "plan/result.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

namespace finally_run::e2e {
namespace {

// All at once: nobody sees the end of another.
void kill_at_once(const std::vector<pid_t>& victims) {
    for (const int number : {SIGSTOP, SIGKILL}) {
        for (const pid_t victim : victims) {
            ::kill(victim, number);
        }
    }
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// A run whose helper waits at this point; "supervisor", "guardian" and "keeper" are killed there. Then all goes on.
void kill_at(const std::string& point, const std::string& victims) {
    CAPTURE(point);
    CAPTURE(victims);
    fs::remove_all(work("engine"));
    fs::remove(work("log"));
    fs::create_directories(work("engine"));
    make_fifo(engine_file("x.go"));
    const int go = ::open(engine_file("x.go").c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(go >= 0);
    // Nobody waits for the helper that is at "begin": the command must not be over before somebody is killed.
    if (point == "clean" || point == "end")
        write_file(work("over"), "");
    else
        fs::remove(work("over"));
    auto process =
        on_a({"-l", "file:x", "-c",
              "echo cleaned $FINALLY_RUN_LOCK $(flock -n engine/x.lock echo free || echo taken) >>log", "-s",
              "echo setup >>log", "--", "sh", "-c", "until test -e over; do sleep .01; done; echo command >>log"})
            .env("LOCK_POINT", point)
            .start();
    wait_until("the helper is at the point", [] { return fs::exists(engine_file("x.at")); });
    const bool keeper_dies = contains(victims, "keeper");
    std::vector<pid_t> pids;
    if (contains(victims, "guardian")) {
        pids.push_back(guardian_of(process.pid()));
    }
    if (contains(victims, "supervisor")) {
        pids.push_back(process.pid());
    }
    if (keeper_dies) {
        pids.push_back(keeper_pid());
    }
    kill_at_once(pids);
    write_file(work("over"), "");
    process.signal(SIGCONT);
    CHECK(::write(go, "\n", 1) == 1);
    process.finish();
    wait_until("nobody is left", [] { return leftovers().empty(); });
    ::close(go);
    CHECK(on_a({"--recover"}).run().status == 0);
    const std::string log = log_text();
    CAPTURE(log);
    // A setup may have ended before its first word.
    CHECK((contains(log, "cleaned") || !contains(log, "setup")));
    CHECK((keeper_dies || !contains(log, "cleaned held free")));
    CHECK((keeper_dies || !fs::exists(engine_file("x.unclean"))));
    CHECK(on_a({"-n", "-l", "file:x", "--", "true"}).run().err.find("recover") == std::string::npos);
    CHECK(on_b({"-n", "-l", "file:x", "--", "true"}).run().status == 0);
}

TEST_CASE("whoever of a run is killed before its lock is used nothing of it begins without its cleanup") {
    for (const char* const point : {"start", "had", "said"}) {
        for (const char* const victims : {"supervisor", "keeper", "supervisor and keeper"}) {
            kill_at(point, victims);
        }
    }
}

TEST_CASE("whoever of a run is killed between begin and its first step what has begun is cleaned up after") {
    for (const char* const victims :
         {"supervisor", "guardian", "keeper", "supervisor and guardian", "supervisor and keeper", "guardian and keeper",
          "supervisor and guardian and keeper"}) {
        kill_at("begin", victims);
    }
}

TEST_CASE("whoever of a run is killed while its lock is given back it is free afterwards") {
    for (const char* const point : {"clean", "end"}) {
        for (const char* const victims : {"supervisor", "keeper", "supervisor and keeper"}) {
            kill_at(point, victims);
        }
    }
}

// Whom somebody waits for there, as its engine has named it; empty: it does not wait.
std::string awaited(std::string_view machine) {
    const nlohmann::json status = status_of(machine);
    for (const auto& lock : status.at("locks")) {
        if (!lock.at("waiters").empty() && lock.at("waiters").at(0).contains("held_by")) {
            return lock.at("name");
        }
    }
    return "";
}

TEST_CASE("two runs that ask for the same locks at an engine in opposite order do not wait for each other") {
    auto holder = on("elsewhere", {"-l", "file:x", "--", "helper", "pause"}).start();
    holder.wait_for_line("READY");
    auto one = on_a({"-l", "file:x", "-l", "file:y", "--", "true"}).start();
    auto other = on_b({"-l", "file:y", "-l", "file:x", "--", "true"}).start();
    for (const char* const machine : {"here", "there"}) {
        wait_until("it waits", [&] { return awaited(machine) == "file:x"; });
    }
    CHECK_FALSE(fs::exists(engine_file("y.helper"))); // nobody has asked for that one
    holder.signal(SIGTERM);
    holder.finish();
    CHECK(one.finish().status == 0);
    CHECK(other.finish().status == 0);
}

TEST_CASE("a keeper that is stopped keeps the lock and goes on where it was") {
    for (const bool killed : {false, true}) {
        CAPTURE(killed);
        fs::remove(work("log"));
        auto process = on_a({"-l", "file:x", "-c", witness_of_lock, "--", "helper", "pause"}).start();
        process.wait_for_line("READY");
        const pid_t keeper = keeper_pid();
        ::kill(keeper, SIGSTOP);
        if (killed) {
            kill_both(process.pid());
        } else {
            process.signal(SIGTERM);
            wait_for_log("by supervisor");
        }
        CHECK(is_held());
        ::kill(keeper, SIGCONT);
        process.finish();
        wait_until("the keeper has released it", [] { return !is_held(); });
        CHECK(log_text().starts_with(killed ? "by keeper after lost, " : "by supervisor after "));
        CHECK(contains(log_text(), killed ? "lock held 2, taken" : "lock held 1, taken"));
        CHECK_FALSE(fs::exists(engine_file("x.unclean")));
        wait_until("nobody is left", [] { return leftovers().empty(); });
    }
}

// Kills the supervisor, or the guardian too, and while the first cleanup runs the helper, or the keeper.
void lose_while_finished_by(plan::Actor by, const std::string& victim) {
    const std::string name(plan::name_of(by));
    CAPTURE(name);
    CAPTURE(victim);
    fs::remove(work("log"));
    auto process = on_a({"-l", "file:x", "--report", "report", "-c", "echo second $FINALLY_RUN_LOCK >>log", "-c",
                         "echo first $FINALLY_RUN_LOCK $FINALLY_RUN_BY >>log; read x <fifo", "--", "helper", "pause"})
                       .start();
    process.wait_for_line("READY");
    const pid_t keeper = keeper_pid();
    const pid_t lost = victim == "keeper" ? keeper : helper_pid();
    if (by == plan::Actor::keeper) {
        kill_both(process.pid());
    } else {
        process.signal(SIGKILL);
    }
    wait_for_log("first");
    ::kill(lost, SIGKILL);
    wait_until("whoever cleans up can know it", [&] {
        // A keeper that has reaped its helper has told the guardian before it sleeps again.
        const bool told =
            by == plan::Actor::keeper || victim == "keeper" || (!test::proc_stat(lost) && state_of(keeper) == 'S');
        return !alive(lost) && told && !is_held();
    });
    release(work("fifo"));
    const auto outcome = finish_with_guardian(process);
    CHECK(log_text() == "first held " + name + "\nsecond lost\n");
    CHECK(count(outcome.err, "lock lost: file:x: its " + victim) == 1);
    CHECK(nlohmann::json::parse(read_file(work("report"))).at("locks").at(0).at("state") == "lost");
    CHECK(contains(on_a({"--status"}).run().out, ": its lock was lost, cleaned up by "));
    fs::remove_all(case_dir() / "here" / ".ended");
}

TEST_CASE("a lock that is lost while the guardian or the keeper cleans up is known to all who look from then on") {
    make_fifo(work("fifo"));
    lose_while_finished_by(plan::Actor::guardian, "helper");
    lose_while_finished_by(plan::Actor::guardian, "keeper");
    lose_while_finished_by(plan::Actor::keeper, "helper");
}

TEST_CASE("a lock that is lost during the last cleanup is told and remembered whoever runs it") {
    make_fifo(work("fifo"));
    for (const plan::Actor by : {plan::Actor::supervisor, plan::Actor::guardian}) {
        CAPTURE(plan::name_of(by));
        fs::remove(work("log"));
        auto process = on_a({"-l", "file:x", "-c", "echo last >>log; read x <fifo", "--", "helper", "pause"}).start();
        process.wait_for_line("READY");
        const pid_t keeper = keeper_pid();
        process.signal(by == plan::Actor::guardian ? SIGKILL : SIGTERM);
        wait_for_log("last");
        ::kill(keeper, SIGKILL);
        wait_for_end(keeper);
        if (by == plan::Actor::supervisor) { // it says so at once
            process.wait_for_err("lock lost");
            CHECK(status_of("here").at("runs").at(0).at("locks").at(0).at("state") == "lost");
        }
        release(work("fifo"));
        const auto outcome = finish_with_guardian(process);
        CHECK(count(outcome.err, "lock lost: file:x: its keeper is gone") == 1);
        CHECK(contains(on_a({"--status"}).run().out, ": its lock was lost, cleaned up"));
        CHECK(status_of("here").at("ended").at(0).at("lock_lost") == true);
        fs::remove_all(case_dir() / "here" / ".ended");
    }
}

TEST_CASE("a loss that a killed supervisor has told of is known to its guardian and its keeper and not told again") {
    for (const bool both : {false, true}) {
        CAPTURE(both);
        fs::remove(work("log"));
        auto process = on_a({"-k", "1", "-l", "file:x", "-c", "echo cleaned $FINALLY_RUN_LOCK >>log", "--", "helper",
                             "ignore", "TERM"})
                           .start();
        process.wait_for_line("READY");
        ::kill(helper_pid(), SIGKILL);
        process.wait_for_err("lock lost: file:x: its helper was killed");
        if (both) {
            kill_both(process.pid());
        } else {
            process.signal(SIGKILL);
        }
        const auto outcome = finish_with_guardian(process);
        CHECK(log_text() == "cleaned lost\n");
        CHECK(count(outcome.err, "lock lost") == 1);
    }
}

TEST_CASE("a keeper runs what a damaged journal proves and ends the command and leaves the lock unclean") {
    auto process = on_a({"-l", "file:x", "-c", witness_of_lock, "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    const fs::path runs = case_dir() / "here" / ".runs";
    const fs::path journal = fs::directory_iterator(runs)->path();
    write_file(journal, read_file(journal) + "garbage\n", 0600);
    kill_both(process);
    wait_until("the keeper has released it", [] { return !is_held(); });
    CHECK(log_text() == "by keeper after lost, lock held 1, taken\n");
    wait_until("nobody is left", [] { return leftovers().empty(); });
    CHECK(fs::exists(journal));
    CHECK(status_of("here").at("runs").at(0).at("state") == "damaged");
    CHECK(fs::exists(engine_file("x.unclean")));
}

TEST_CASE("a next holder finishes what was left only with all of its locks at engines") {
    auto process = on_a({"-l", "file:x", "-l", "file:y", "-c",
                         "echo $FINALLY_RUN_BY $FINALLY_RUN_LOCK $FINALLY_RUN_LOCK_TOKEN "
                         "$(flock -n engine/y.lock echo free || echo taken) >>log",
                         "--", "helper", "pause"})
                       .start();
    process.wait_for_line("READY");
    kill_all(process);
    for (const std::string_view asked : {"file:x", "local"}) { // a lock of it, and none
        auto holder = on_b({"-l", "file:y", "--", "helper", "pause"}).start();
        holder.wait_for_line("READY");
        const auto outcome = on_a({"-l", std::string(asked), "--", "true"}).run();
        CHECK(outcome.status == 0);
        CHECK_FALSE(fs::exists(work("log")));
        CHECK(contains(outcome.err, "is not finished yet") == (asked == "file:x"));
        CHECK(on_a({"--strict", "-l", "file:x", "--", "touch", "ran"}).run().status == 120);
        holder.signal(SIGTERM);
        holder.finish();
    }
    CHECK_FALSE(fs::exists(work("ran")));
    const auto outcome = on_a({"-l", "file:x", "--", "true"}).run();
    CHECK(outcome.status == 0);
    CHECK(log_text().starts_with("next-holder held "));
    CHECK(contains(log_text(), " taken\n"));
    CHECK_FALSE(fs::exists(engine_file("y.unclean")));
    CHECK_FALSE(is_locked(engine_file("y.lock")));
}

TEST_CASE("a lock at an engine that an outer run holds is refused at once") {
    const auto outcome = on_a({"-l", "file:x", "--", "finally-run", "-l", "file:x", "--", "touch", "ran"}).run();
    CHECK(outcome.status == 75);
    CHECK(contains(outcome.err, "an outer run holds it"));
    CHECK_FALSE(fs::exists(work("ran")));
}

} // namespace
} // namespace finally_run::e2e
