// Which processes recovery touches: a pid means nothing without its start time, its boot and its namespace.
#include "guard.hpp"
#include "machine.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

const std::vector<std::string> paused_run{"-l", "l",      "--grace", ".1", "-c", "echo cleaned >>log",
                                          "--", "helper", "pause"};

// A run whose command's pid has become that of a process that has nothing to do with it, and what is done to that one.
struct Recycled {
    Process bystander = Run::of({"helper", "pause"}).start();

    std::string after(const std::function<void(journal::Opened&, journal::ProcessId&)>& edit) {
        const auto run = leave_unfinished(Run(paused_run));
        journal::Opened opened;
        edit_journal(run.journal, [&](journal::Record& record) {
            if (auto* const first = std::get_if<journal::Opened>(&record)) {
                first->session = bystander.pid(); // as after a wrap-around of pids
                journal::ProcessId nobody;
                edit(*first, nobody);
            } else if (auto* const started = std::get_if<journal::Started>(&record)) {
                started->process.pid = bystander.pid();
                journal::Opened nothing;
                edit(nothing, started->process);
            }
        });
        CHECK(Run({"--recover"}).run().status == 0);
        CHECK(log_text() == "cleaned\n");
        fs::remove(work("log"));
        return alive(bystander.pid()) ? "alive" : "dead";
    }
};

TEST_CASE("a process that has got the pid of the dead command later is not touched") {
    Recycled test;
    test.bystander.wait_for_line("READY");
    CHECK(test.after([](journal::Opened&, journal::ProcessId& process) { process.boot_nanoseconds = 1'000'000'000; }) ==
          "alive");
}

TEST_CASE("a process with the pid of a command of another pid namespace is not touched") {
    Recycled test;
    test.bystander.wait_for_line("READY");
    CHECK(test.after([](journal::Opened& opened, journal::ProcessId& process) {
        ++opened.pid_namespace;
        process.boot_nanoseconds += 1'000'000'000;
    }) == "alive");
}

TEST_CASE("a process with the pid and the start time of the command is stopped") {
    Recycled test;
    test.bystander.wait_for_line("READY");
    CHECK(test.after([](journal::Opened&, journal::ProcessId& process) {
        process.boot_nanoseconds += 1'000'000'000;
    }) == "dead");
}

TEST_CASE("after a reboot a run is recovered by the next holder of its lock, though the lock file is a new one") {
    static_cast<void>(leave_unfinished(run_on({}, paused_run)));
    fs::rename(state_dir() / "l", state_dir() / "old");
    CHECK(run_on({.boot = other_boot}, {"-l", "l", "--", "true"}).run().status == 0);
    CHECK(log_text() == "cleaned\n");
    CHECK(run_files().empty());
}

} // namespace
} // namespace finally_run::e2e
