// Supervisor, guardian, command and what the command has started are killed one after the other, in each order.
#include "guard.hpp"

#include <algorithm>
#include <array>
#include <csignal>

namespace finally_run::e2e {
namespace {

// Of a command that was killed by itself the others are left alone, so they may be there still.
constexpr const char* cleanup =
    "grep -qs '^State:.[^ZX]' /proc/$(cat pid)/status && echo alive >>log; echo cleaned >>log";

TEST_CASE("in whatever order all of a run are killed it is cleaned up before the next holder begins") {
    enum Who { supervisor, guardian, command, child };
    std::array order{supervisor, guardian, command, child};
    int orders = 0;
    do {
        ++orders;
        CAPTURE(orders);
        auto process = Run({"-l", "l", "-c", cleanup, "--", "sh", "-c",
                            "echo $$ >pid; sh -c 'echo $$ >child; exec helper pause' & wait"})
                           .start();
        process.wait_for_line("READY");
        std::array<pid_t, 4> pids{};
        pids[supervisor] = process.pid();
        pids[guardian] = guardian_of(process.pid());
        pids[command] = pid_in("pid");
        pids[child] = pid_in("child");
        for (const Who who : order) {
            ::kill(pids[who], SIGKILL);
        }
        finish_with_guardian(process); // a new one, if the first was killed while its supervisor lived
        CHECK(Run({"-l", "l", "--", "sh", "-c", "echo next >>log"}).run().status == 0);
        CHECK(log_text().find("alive") == std::string::npos);
        CHECK(log_text().starts_with("cleaned\n"));
        CHECK(log_text().ends_with("cleaned\nnext\n"));
        CHECK(run_files().empty());
        for (const char* file : {"log", "pid", "child"})
            fs::remove(work(file));
    } while (std::next_permutation(order.begin(), order.end()));
    CHECK(orders == 24);
}

} // namespace
} // namespace finally_run::e2e
