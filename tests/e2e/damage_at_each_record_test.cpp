// A journal damaged at each of its records while its run lives, then the end of whoever works on it.
#include "guard.hpp"

#include <array>
#include <csignal>
#include <functional>

namespace finally_run::e2e {
namespace {

// Each damages the journal "$j": as the record that begins at byte "$at" is about to be written, or once it and others
// are there.
struct Damage {
    const char* before;
    const char* later;
};
constexpr std::array damages{
    Damage{R"(printf 'garbage\n' >>"$j")", ":"},
    Damage{":", R"(printf '#' | dd of="$j" bs=1 seek=$((at + 30)) conv=notrunc 2>&-)"},
    Damage{":", R"(head -c 200 /dev/zero | dd of="$j" bs=1 seek=$at conv=notrunc 2>&-)"},
    // A cut behind all that somebody has read leaves no trace, so these go further.
    Damage{R"(: >"$j")", ":"},
    Damage{":", R"(truncate -s 40 "$j")"},
};
constexpr std::size_t without_cuts = 3;
constexpr int records = 3;

// Defers three times, damages the journal at the one asked for, defers once more, and stays. In "acknowledged" is what
// --defer has acknowledged.
Run damaged_run(const Damage& damage, int record) {
    return Run({"-l", "l", "-c", witness, "--", "sh", "-c",
                "j=$FINALLY_RUN_JOURNAL; defer() { finally-run --defer \"echo did $1 >>log\" 2>&- && echo $1 "
                ">>acknowledged; }; for n in 1 2 3; do if [ $n = " +
                    std::to_string(record) + " ]; then at=$(stat -c %s \"$j\"); " + damage.before +
                    "; fi; defer $n; done; " + damage.later + "; defer 4; echo $$ >pid; exec helper pause"});
}

// Whoever was told that it will run: it has, or a person is told that it has not.
void check_nothing_lost() {
    CHECK(leftovers().empty());
    CHECK(log_text().find("alive") == std::string::npos);
    CHECK(log_text().find("unlocked") == std::string::npos);
    const auto left = run_files();
    CHECK((log_text().find("cleaned by ") != std::string::npos || !left.empty()));
    for (const std::string& number : lines(read_file(work("acknowledged")))) {
        CAPTURE(number);
        CHECK((has_line(log_text(), "did " + number) || !left.empty()));
    }
    if (!left.empty()) {
        CHECK(Run({"--status"}).run().out.find("damaged") != std::string::npos);
        const std::string before = log_text();
        CHECK(Run({"--recover"}).run().status == 125);
        CHECK(log_text() == before);
        CHECK(Run({"--forget", left.front().stem()}).run().status == 0);
    }
    CHECK(run_files().empty());
    for (const char* file : {"log", "acknowledged", "pid"})
        fs::remove(work(file));
}

void for_each_damage(const std::function<void(Process& run)>& end, std::size_t up_to = damages.size()) {
    for (std::size_t damage = 0; damage < up_to; ++damage) {
        for (int record = 1; record <= records; ++record) {
            CAPTURE(damage);
            CAPTURE(record);
            auto process = damaged_run(damages.at(damage), record).start();
            process.wait_for_line("READY");
            end(process);
            check_nothing_lost();
        }
    }
}

TEST_CASE("with a journal damaged at any record a stopped run loses nothing in silence") {
    for_each_damage([](Process& run) {
        run.signal(SIGTERM);
        run.finish();
        CHECK(log_text().find("cleaned by supervisor") != std::string::npos);
    });
}

TEST_CASE("with a journal damaged at any record the guardian loses nothing in silence") {
    for_each_damage([](Process& run) { kill_supervisor(run); });
}

TEST_CASE("with a journal damaged at any record a new guardian loses nothing in silence") {
    for_each_damage([](Process& run) {
        const pid_t first = guardian_of(run.pid());
        ::kill(first, SIGKILL);
        static_cast<void>(guardian_of(run.pid(), first));
        kill_supervisor(run);
    });
}

TEST_CASE("with a journal damaged at any record and both killed all is left to a person") {
    for_each_damage(
        [](Process& run) {
            kill_both(run);
            const pid_t command = pid_in("pid");
            ::kill(command, SIGKILL);
            wait_for_end(command);
            CHECK(log_text().empty());
            CHECK_FALSE(run_files().empty());
        },
        without_cuts); // of one that was cut nobody is left who knows how long it was
}

} // namespace
} // namespace finally_run::e2e
