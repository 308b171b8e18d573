// Whose leftovers recovery finishes, and whose processes it stops: another host, boot or time namespace is not ours.
#include "guard.hpp"
#include "machine.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

const Machine here;
const Machine elsewhere{.id = other_machine, .boot = other_boot, .name = "elsewhere"};
const Machine rebooted{.boot = other_boot};

const std::vector<std::string> words{"-l", "l", "--grace", ".1", "-c", "echo cleaned >>log", "--", "helper", "pause"};

void check_left_to(const Machine& machine, const Machine& by) {
    const auto run = leave_unfinished(run_on(machine, words));
    const std::string journal = read_file(run.journal);
    const auto all = run_on(by, {"--recover"}).run();
    CHECK(all.status == 0);
    CHECK(lines(all.err).size() == 1);
    CHECK(all.err.find("finally-run: run " + run.id + " is of another host, " + machine.name) == 0);
    const auto next = run_on(by, {"-l", "l", "--", "true"}).run();
    CHECK(next.status == 0);
    CHECK(next.err.find("run " + run.id + " was left unfinished on another host, " + machine.name) !=
          std::string::npos);
    CHECK(run_on(by, {"--", "true"}).run().err.empty());
    const auto status = run_on(by, {"--status"}).run();
    CHECK(status.out.find(run.id) != std::string::npos);
    CHECK(status.out.find("host     " + machine.name + "\n") != std::string::npos);
    CHECK(log_text().empty());
    CHECK(read_file(run.journal) == journal);
}

TEST_CASE("a run of another host is shown, and neither recovery nor the next holder of its lock executes it") {
    check_left_to(elsewhere, here);
    CHECK(run_on(elsewhere, {"--recover"}).run().status == 0);
    CHECK(log_text() == "cleaned\n");
    CHECK(run_files().empty());
}

TEST_CASE("a run of another host is recovered here if a person names it") {
    const auto run = leave_unfinished(run_on(elsewhere, words));
    CHECK(run_on(here, {"--recover", run.id.substr(0, run.id.size() - 1)}).run().status == 0);
    CHECK(log_text() == "cleaned\n");
    CHECK(run_files().empty());
}

TEST_CASE("a failed run is there after a reboot and is tried again until it succeeds") {
    run_on({}, {"-l", "l", "-c", "echo other >>log", "-c", "echo fails >>log; test -e mended", "--", "true"}).run();
    CHECK(run_on(rebooted, {"--status"}).run().out.find("  failed  ") != std::string::npos);
    CHECK(run_on(rebooted, {"--recover"}).run().status == 120);
    CHECK(run_on(rebooted, {"-l", "l", "--strict", "--", "touch", "ran"}).run().status == 120);
    CHECK_FALSE(fs::exists(work("ran")));
    write_file(work("mended"), "");
    CHECK(run_on(rebooted, {"--recover"}).run().status == 0);
    CHECK(log_text() == "fails\nother\nfails\nfails\nfails\n");
    CHECK(run_files().empty());
}

TEST_CASE("a machine is the same one after a reboot, whatever its name is by then") {
    for (const char* name : {"here", "renamed"}) {
        const auto run = leave_unfinished(run_on(here, words));
        Machine after = rebooted;
        after.name = name;
        CHECK(run_on(after, {"-l", "l", "--", "true"}).run().status == 0);
        CHECK(log_text() == "cleaned\n");
        CHECK(run_files().empty());
        fs::remove(work("log"));
    }
}

TEST_CASE("a machine without an id is known by its name and its boot together") {
    const Machine no_id{.id = ""};
    check_left_to(no_id, {.id = "", .name = "there"});
    Run({"--forget", run_files().front().stem()}).run();
    check_left_to(no_id, {.id = "", .boot = other_boot});
    CHECK(run_on(no_id, {"--recover"}).run().status == 0);
    CHECK(log_text() == "cleaned\n");
}

// A process that is older than the command, and has the pid that its record names.
void check_spared(const Machine& before, const Machine& after) {
    auto bystander = Run::of({"helper", "pause"}).start();
    bystander.wait_for_line("READY");
    const auto run = leave_unfinished(run_on(before, words));
    edit_journal(run.journal, [&](journal::Record& record) {
        if (auto* const opened = std::get_if<journal::Opened>(&record))
            opened->session = bystander.pid();
        else if (auto* const started = std::get_if<journal::Started>(&record))
            started->process = {bystander.pid(), started->process.boot_nanoseconds + 1'000'000'000};
    });
    CHECK(run_on(after, {"--recover"}).run().status == 0);
    CHECK(log_text() == "cleaned\n");
    CHECK(alive(bystander.pid()));
    fs::remove(work("log"));
}

TEST_CASE("an unknown boot is not the same boot: an older process with the pid of the command is not touched") {
    const Machine unknown{.boot = ""};
    check_spared(unknown, unknown);
    check_spared(unknown, here);
    check_spared(here, unknown);
}

TEST_CASE("a process with the pid of a command of another boot is not touched") { check_spared(here, rebooted); }

TEST_CASE("where the boot is not known the command is stopped if its start time fits") {
    const Machine unknown{.boot = ""};
    const auto run = leave_alive(run_on(unknown, words));
    CHECK(run_on(unknown, {"--recover"}).run().status == 0);
    CHECK(log_text() == "cleaned\n");
    wait_for_end(run.ready);
}

TEST_CASE("in another time namespace no process is stopped, and that is said") {
    for (const bool recover : {true, false}) {
        const auto run = leave_alive(Run(words));
        const auto outcome = Run::of(unshare({"-T", "--boottime", "-1", "--fork"},
                                             {"finally-run", recover ? "--recover" : "--forget", run.id}))
                                 .run();
        CHECK(outcome.status == 0);
        CHECK(outcome.err.find("its processes cannot be told from here") != std::string::npos);
        CHECK(log_text() == (recover ? "cleaned\n" : ""));
        CHECK(alive(run.ready));
        ::kill(run.ready, SIGKILL);
        wait_for_end(run.ready);
        fs::remove(work("log"));
    }
}

TEST_CASE("a journal that names no host, as older versions wrote it, is recovered in the same boot") {
    const auto run = leave_unfinished(Run(words));
    edit_journal(run.journal, [](journal::Record& record) {
        if (auto* const opened = std::get_if<journal::Opened>(&record))
            opened->host.reset();
    });
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "cleaned\n");
}

} // namespace
} // namespace finally_run::e2e
