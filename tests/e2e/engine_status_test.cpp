// What --status and --report tell of locks at an engine.
#include "engine.hpp"

#include <csignal>
#include <string>

namespace finally_run::e2e {
namespace {

TEST_CASE("the status tells the token of a lock at an engine and since when and that it was lost") {
    make_fifo(work("fifo"));
    auto process = on_a({"-l", "file:x", "-c", "echo cleaning >>log; read x <fifo", "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    const auto lock = status_of("here").at("runs").at(0).at("locks").at(0);
    CHECK(lock.at("name") == "file:x");
    CHECK(lock.at("token") == "1");
    CHECK(lock.at("since").get<std::string>().ends_with("Z"));
    CHECK(lock.at("state") == "held");
    CHECK(on_a({"--status"}).run().out.find("engine   file:x: held, token 1, since ") != std::string::npos);
    ::kill(helper_pid(), SIGKILL);
    wait_for_log("cleaning");
    CHECK(status_of("here").at("runs").at(0).at("locks").at(0).at("state") == "lost");
    release(work("fifo"));
    CHECK(process.finish().status == 121);
}

TEST_CASE("the status shows who waits at an engine and whom that names as the holder") {
    auto holder = on_a({"-l", "file:x", "--", "helper", "pause"}).start();
    holder.wait_for_line("READY");
    auto waiter = on_b({"-l", "file:x", "--", "true"}).start();
    nlohmann::json lock;
    wait_until("its engine has named the holder", [&] {
        const auto locks = status_of("there").at("locks");
        lock = locks.empty() ? nlohmann::json() : locks.at(0);
        return !lock.is_null() && !lock.at("waiters").empty();
    });
    CHECK(lock.at("holders").empty());
    CHECK(lock.at("waiters").at(0).at("pid") == waiter.pid());
    const auto held_by = lock.at("waiters").at(0).at("held_by").get<std::string>();
    CHECK(held_by.starts_with("host "));
    CHECK(held_by.ends_with("pid " + std::to_string(holder.pid()) + ": helper pause"));
    CHECK(on_b({"--status"}).run().out.find("at its engine, held by host ") != std::string::npos);
    CHECK(status_of("here").at("locks").at(0).at("waiters").empty());
    holder.signal(SIGTERM);
    holder.finish();
    CHECK(waiter.finish().status == 0);
}

TEST_CASE("with their keeper all locks at engines are lost and each is called that") {
    auto process = on_a({"-l", "file:x", "-l", "file:y", "--report", "report", "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    ::kill(keeper_pid(), SIGKILL);
    const auto outcome = process.finish();
    CHECK(outcome.status == 121);
    CHECK((outcome.err.find("lock lost: file:x, file:y: its keeper is gone") != std::string::npos ||
           outcome.err.find("lock lost: file:y, file:x: its keeper is gone") != std::string::npos));
    const auto locks = nlohmann::json::parse(read_file(work("report"))).at("locks");
    REQUIRE(locks.size() == 2);
    CHECK(locks.at(0).at("state") == "lost");
    CHECK(locks.at(1).at("state") == "lost");
}

TEST_CASE("the report has the token of a lock at an engine and whether it was lost whoever writes it") {
    const auto report = [] { return nlohmann::json::parse(read_file(work("report"))).at("locks").at(0); };
    CHECK(on_a({"-l", "file:x", "--report", "report", "--", "true"}).run().status == 0);
    CHECK(report().at("name") == "file:x");
    CHECK(report().at("token") == "1");
    CHECK(report().at("state") == "held");
    auto lost = on_a({"-l", "file:x", "--report", "report", "--", "helper", "pause"}).start();
    lost.wait_for_line("READY");
    ::kill(helper_pid(), SIGKILL);
    CHECK(lost.finish().status == 121);
    CHECK(report().at("token") == "2");
    CHECK(report().at("state") == "lost");
    auto killed = on_a({"-l", "file:x", "-c", "true", "--report", "report", "--", "helper", "pause"}).start();
    killed.wait_for_line("READY");
    kill_supervisor(killed);
    wait_until("nobody is left", [] { return leftovers().empty(); });
    CHECK(report().at("token") == "3");
    CHECK(report().at("state") == "held");
}

} // namespace
} // namespace finally_run::e2e
