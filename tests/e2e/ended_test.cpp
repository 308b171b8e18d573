// Runs that did not end well under their supervisor: how they ended can be asked for afterwards.
#include "guard.hpp"

#include <nlohmann/json.hpp>

#include <chrono>

namespace finally_run::e2e {
namespace {

fs::path ended_dir() { return state_dir() / ".ended"; }

nlohmann::json ended() { return nlohmann::json::parse(Run({"--status", "--json"}).run().out).at("ended"); }

nlohmann::json only_ended() {
    const auto found = ended();
    REQUIRE(found.size() == 1);
    return found.at(0);
}

// Its supervisor is killed, and nobody reads its stderr.
void leave_to_guardian(std::vector<std::string> words) {
    words.insert(words.end(), {"--", "helper", "pause"});
    auto process = Run(words).start();
    process.wait_for_line("READY");
    process.close_err();
    kill_supervisor(process);
}

TEST_CASE("how a run ended that cannot be written down is said in one line") {
    auto process = Run({"-c", "true", "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    write_file(ended_dir(), "in the way");
    const auto outcome = kill_supervisor(process);
    CHECK(has_line(outcome.err,
                   "finally-run: journal: how it ended is not kept for finally-run --status: Not a directory"));
    CHECK(run_files().empty());
}

TEST_CASE("what the guardian has cleaned up is in the status afterwards, with its output from the first line on") {
    leave_to_guardian({"-c", "echo one", "-c", "true", "-c", "echo three"});
    const auto run = only_ended();
    CHECK(run.at("by") == "guardian");
    CHECK(run.at("result") == "lost");
    CHECK(run.at("command") == "helper pause");
    CHECK(run.at("directory") == work().string());
    REQUIRE(run.at("cleanups").size() == 3);
    CHECK(run.at("cleanups").at(0).at("text") == "echo three");
    CHECK(run.at("cleanups").at(0).at("error").is_null());
    const std::string id = run.at("id");
    const std::string log = run.at("log");
    const auto said = lines(read_file(log));
    CHECK(said.at(0).find("run " + id + " of ") == 0);
    CHECK(said.at(1) == "command: helper pause");
    CHECK(said.at(2) == "directory: " + work().string());
    CHECK(said.at(3).find("started: ") == 0);
    CHECK(has_line(read_file(log), "three"));
    CHECK(has_line(read_file(log), "one"));
    CHECK(read_file(log).find("its guardian ends the command") != std::string::npos);
    CHECK(said.back() == "cleaned up by its guardian, 3 of 3 cleanups succeeded");
    const std::string table = Run({"--status"}).run().out;
    CHECK(table.find(id + "  helper pause: cleaned up by its guardian ") != std::string::npos);
    CHECK(table.find(" ago, 3 of 3 cleanups succeeded, output in " + log + "\n") != std::string::npos);
    CHECK(run_files().empty());
}

TEST_CASE("a log ends with how it went at last also if a recovery that needed no log has made it so") {
    leave_to_guardian({"-c", "test -e fixed"});
    const auto log =
        runs_dir() /
        (nlohmann::json::parse(Run({"--status", "--json"}).run().out).at("runs").at(0).at("id").get<std::string>() +
         ".log");
    CHECK(lines(read_file(log)).back() == "cleaned up by its guardian, 0 of 1 cleanup succeeded");
    const auto failing = Run({"--recover"}).run();
    CHECK(failing.status == 120);
    CHECK(failing.err.find(": helper pause: 1 cleanup left, it failed before\n") != std::string::npos);
    CHECK(lines(read_file(log)).back() == "cleaned up by a recovery, 0 of 1 cleanup succeeded");
    write_file(work("fixed"), "");
    CHECK(Run({"--recover"}).run().status == 0);
    const auto run = only_ended();
    CHECK(lines(read_file(run.at("log").get<std::string>())).back() ==
          "cleaned up by a recovery, 1 of 1 cleanup succeeded");
}

TEST_CASE("the log of a job in CI says which job it was") {
    auto process = Run({"-c", "echo down", "--", "helper", "pause"})
                       .env("CI_JOB_URL", "https://ci.example/7")
                       .env("GITLAB_CI", "true")
                       .start();
    process.wait_for_line("READY");
    process.close_err();
    kill_supervisor(process);
    const auto run = only_ended();
    CHECK(run.at("job_url") == "https://ci.example/7");
    CHECK(has_line(read_file(run.at("log").get<std::string>()), "job: https://ci.example/7"));
}

TEST_CASE("a run that ends well under its supervisor leaves nothing to ask for") {
    CHECK(Run({"-l", "d", "-c", "true", "--on-failure", "true", "--", "true"}).run().status == 0);
    CHECK(Run({"-c", "true", "--temp-dir", "D", "--", "false"}).run().status == 1);
    CHECK(Run({"-c", "true", "-t", ".01", "--", "helper", "pause"}).run().status == 124);
    CHECK_FALSE(fs::exists(ended_dir()));
    CHECK(ended().empty());
}

TEST_CASE("recovery and the next holder are named as those who have cleaned up") {
    static_cast<void>(leave_unfinished(Run({"-l", "d", "-c", "true", "--", "helper", "pause"})));
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(only_ended().at("by") == "recovery");
    CHECK(only_ended().at("log").is_null());
    CHECK(Run({"--status"}).run().out.find("cleaned up by a recovery ") != std::string::npos);
    static_cast<void>(leave_unfinished(Run({"-l", "d", "-c", "true", "--", "helper", "pause"})));
    CHECK(Run({"-l", "d", "--", "true"}).run().status == 0);
    const auto both = ended();
    REQUIRE(both.size() == 2);
    CHECK(both.at(0).at("by") == "next-holder");
}

TEST_CASE("cleanups that were given up and a vanished caller are remembered too") {
    Run({"--failed-cleanups", "drop", "-c", "true", "-c", "exit 7", "--", "true"}).run();
    auto run = only_ended();
    CHECK(run.at("by") == "supervisor");
    CHECK(run.at("result") == "success");
    CHECK(run.at("cleanups").at(0).at("error") == "exit status 7");
    CHECK(Run({"--status"}).run().out.find(" ago, 1 of 2 cleanups succeeded") != std::string::npos);
    const std::string first = run.at("id");
    CHECK(Run({"--forget", first}).run().status == 0);
    auto gone = Run({"-c", "echo down >>log", "--", "helper", "pause"})
                    .env("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")
                    .start();
    gone.wait_for_line("READY");
    gone.close_out();
    CHECK(gone.finish().status == 143);
    CHECK(only_ended().at("result") == "caller-gone");
    CHECK(Run({"--status"}).run().out.find("its caller had gone, cleaned up ") != std::string::npos);
}

TEST_CASE("a failed run is remembered when it has been recovered, with the log of the first try") {
    leave_to_guardian({"-c", "echo broken; test -e mended"});
    CHECK(ended().empty());
    write_file(work("mended"), "");
    CHECK(Run({"--recover"}).run().status == 0);
    const auto run = only_ended();
    CHECK(run.at("by") == "recovery");
    CHECK(has_line(read_file(run.at("log").get<std::string>()), "broken"));
    CHECK(run_files().empty());
}

TEST_CASE("a run of which it is known how it ended need not be stopped or recovered") {
    leave_to_guardian({"-c", "true"});
    const std::string id = only_ended().at("id");
    for (const char* const action : {"--stop", "--recover"}) {
        const auto outcome = Run({action, id}).run();
        CHECK(outcome.status == 0);
        CHECK(outcome.err == "finally-run: run " + id + " is over: finally-run --status has how\n");
    }
}

TEST_CASE("forget removes what is known of an ended run and its log") {
    leave_to_guardian({"-c", "echo one"});
    const std::string id = only_ended().at("id");
    CHECK(Run({"--forget", id}).run().status == 0);
    CHECK(ended().empty());
    CHECK(fs::is_empty(ended_dir()));
    CHECK(Run({"--forget", id}).run().status == 125);
}

TEST_CASE("of ended runs a hundred are kept for thirty days") {
    leave_to_guardian({"-c", "echo one"});
    const fs::path first = ended_dir() / (only_ended().at("id").get<std::string>() + ".journal");
    const auto now = fs::last_write_time(first);
    const auto copy = [&](const std::string& name, std::chrono::hours age) {
        fs::copy_file(first, ended_dir() / (name + ".journal"));
        write_file(ended_dir() / (name + ".log"), "");
        fs::last_write_time(ended_dir() / (name + ".journal"), now - age);
    };
    copy("old", std::chrono::hours(24 * 31));
    for (int i = 0; i < 101; ++i)
        copy("copy" + std::to_string(i), std::chrono::hours(1 + i));
    CHECK(ended().size() == 100);
    CHECK(fs::exists(ended_dir() / "old.journal"));
    leave_to_guardian({"-c", "echo two"});
    CHECK(ended().size() == 100);
    CHECK_FALSE(fs::exists(ended_dir() / "old.journal"));
    CHECK_FALSE(fs::exists(ended_dir() / "old.log"));
    CHECK(fs::exists(ended_dir() / "copy97.log"));
    CHECK_FALSE(fs::exists(ended_dir() / "copy98.log"));
    CHECK(count(Run({"--status"}).run().out, "cleaned up by its guardian") == 5);
    CHECK(count(Run({"--status", "-v"}).run().out, "cleaned up by its guardian") == 100);
}

} // namespace
} // namespace finally_run::e2e
