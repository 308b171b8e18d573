// --status: who holds a lock and who waits for it, finally-run or not.
#include "guard.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>

namespace finally_run::e2e {
namespace {

nlohmann::json locks() { return nlohmann::json::parse(Run({"--status", "--json"}).run().out).at("locks"); }

std::string lock_table() { return Run({"--status"}).run().out; }

TEST_CASE("the status shows who holds a lock and who waits for it whether it is finally-run or not") {
    auto holder = Run({"-l", "l", "--", "helper", "pause"}).start();
    holder.wait_for_line("READY");
    auto waiter = Run({"-l", "l", "--", "true"}).start();
    wait_for_lock_waiters(state_dir() / "l", 1);
    const auto other = Run::of({"flock", (state_dir() / "l").string(), "true"}).start();
    wait_for_lock_waiters(state_dir() / "l", 2);
    const auto lock = locks().at(0);
    CHECK(lock.at("name") == "l");
    REQUIRE(lock.at("holders").size() == 1);
    CHECK(lock.at("holders").at(0).at("pid") == holder.pid());
    CHECK(lock.at("holders").at(0).at("run") == only_run_file().stem().string());
    CHECK(lock.at("holders").at(0).at("command") == "helper pause");
    REQUIRE(lock.at("waiters").size() == 2);
    CHECK(lock.at("waiters").at(0).at("pid") == waiter.pid());
    CHECK(lock.at("waiters").at(1).at("pid") == other.pid());
    const std::string text = lock_table();
    CHECK_MESSAGE(text.find("\nlock l\n  held by helper pause (pid " + std::to_string(holder.pid()) + ", ") !=
                      std::string::npos,
                  text);
    CHECK_MESSAGE(text.find("\n  waits   flock " + (state_dir() / "l").string() + " true (pid " +
                            std::to_string(other.pid()) + ", ") != std::string::npos,
                  text);
    holder.signal(SIGTERM);
    holder.finish();
    waiter.finish();
}

TEST_CASE("the status shows a lock that only other programs hold also after the one that took it has ended") {
    Run({"-l", "l", "--", "true"}).run();
    auto held = Run::script("exec 9<\"$XDG_STATE_HOME/finally-run/l\"; flock 9; echo READY; exec helper pause").start();
    held.wait_for_line("READY");
    const auto lock = locks().at(0);
    REQUIRE(lock.at("holders").size() == 1);
    CHECK(lock.at("holders").at(0).at("pid") == held.pid());
    CHECK(lock.at("holders").at(0).at("run").is_null());
    CHECK(lock_table().find("no runs here") != std::string::npos);
}

// There /proc/locks has no line for it.
TEST_CASE("in a pid namespace too the status shows a lock whose taker has ended") {
    Run({"-l", "l", "--", "true"}).run();
    for (const bool shared : {false, true}) {
        const std::string script = std::string("exec 9<\"$XDG_STATE_HOME/finally-run/l\"; flock ") +
                                   (shared ? "-s" : "-x") + " 9; finally-run --status --json";
        const auto outcome = Run::of(unshare({"--pid", "--fork", "--mount-proc"}, {"sh", "-c", script})).run();
        const auto lock = Json::parse(outcome.out).at("locks").at(0);
        REQUIRE(lock.at("holders").size() == 1);
        CHECK(lock.at("holders").at(0).at("pid") == 1);
        CHECK(lock.at("holders").at(0).at("shared") == shared);
    }
}

TEST_CASE("the status shows all who share a lock by its path and the guardian that has it still") {
    auto first =
        Run({"--lock-shared", "./l", "-c", "echo cleaning >>log; read x <fifo", "--", "helper", "pause"}).start();
    make_fifo(work("fifo"));
    first.wait_for_line("READY");
    auto second = Run::of({"flock", "-s", "l", "helper", "pause"}).start();
    second.wait_for_line("READY");
    const pid_t guardian = guardian_of(first.pid());
    first.signal(SIGKILL);
    wait_for_log("cleaning");
    const auto lock = locks().at(0);
    CHECK(lock.at("name") == work("l").string());
    REQUIRE(lock.at("holders").size() == 2);
    const auto held_by = [&](pid_t pid) {
        return std::ranges::any_of(lock.at("holders"), [&](const auto& holder) { return holder.at("pid") == pid; });
    };
    CHECK(held_by(guardian));
    CHECK(held_by(second.pid()));
    CHECK(lock.at("holders").at(0).at("shared") == true);
    release(work("fifo"));
    wait_for_end(guardian);
}

TEST_CASE("the status calls a run suspended whose finally-run is stopped") {
    auto process = Run({"--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    process.signal(SIGSTOP);
    wait_for_state(process.pid(), 'T');
    CHECK(lock_table().find(" suspended ") != std::string::npos);
    process.signal(SIGCONT);
    wait_for_state(process.pid(), 'S');
    CHECK(lock_table().find(" running ") != std::string::npos);
}

TEST_CASE("where nobody holds a lock the status speaks of none") {
    Run({"-l", "l", "--", "true"}).run();
    CHECK(locks().empty());
    CHECK(lock_table().find("lock l") == std::string::npos);
}

TEST_CASE("a holder in another pid namespace is shown by the pid that it has here and where it has none that is said") {
    auto inner = Run::of(unshare({"--pid", "--fork", "--mount-proc"},
                                 {"finally-run", "-l", "d", "-c", "true", "--", "helper", "pause"}))
                     .start();
    inner.wait_for_line("READY");
    const pid_t pid = child_running("finally-run", inner.pid());
    auto seen = nlohmann::json::parse(Run({"--status", "--json"}).run().out);
    CHECK(seen.at("runs").at(0).at("pid") == pid);
    const auto holder = seen.at("locks").at(0).at("holders").at(0);
    CHECK(holder.at("pid") == pid);
    CHECK(holder.at("run") == seen.at("runs").at(0).at("id"));
    const auto refused = Run({"-l", "d", "-n", "--", "true"}).run();
    CHECK_MESSAGE(refused.err.find("held by helper pause (pid " + std::to_string(pid) + ",") != std::string::npos,
                  refused.err);

    auto outer = Run({"-l", "o", "-c", "true", "--", "helper", "pause"}).start();
    outer.wait_for_line("READY");
    const auto from_inside = [](const std::vector<std::string>& argv) {
        return Run::of(unshare({"--pid", "--fork", "--mount-proc"}, argv)).run();
    };
    seen = nlohmann::json::parse(from_inside({"finally-run", "--status", "--json"}).out);
    for (const auto& run : seen.at("runs"))
        CHECK(run.at("pid").is_null());
    CHECK(from_inside({"finally-run", "--status"}).out.find("of another pid namespace, so not known here") !=
          std::string::npos);
    const auto inside = from_inside({"finally-run", "-l", "o", "-n", "--", "true"});
    CHECK_MESSAGE(inside.err.find("held by helper pause (in another pid namespace,") != std::string::npos, inside.err);
}

} // namespace
} // namespace finally_run::e2e
