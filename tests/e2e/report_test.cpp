// --report and --ci.
#include "guard.hpp"

#include <nlohmann/json.hpp>

#include <csignal>

namespace finally_run::e2e {
namespace {

using Json = nlohmann::json;

TEST_CASE("the report tells how the run and each of its steps went") {
    const auto outcome =
        Run({"--report", "report.json", "-s", "echo up", "-c", "exit 4", "-r", "file", "--", "helper", "exit", "3"})
            .run();
    CHECK(outcome.status == 3);
    const auto report = Json::parse(read_file(work("report.json")));
    CHECK(report.at("result") == "failure");
    CHECK(report.at("exit_code") == 3);
    CHECK(report.at("signal").is_null());
    CHECK(report.at("command") == Json({"helper", "exit", "3"}));
    CHECK(report.at("id").get<std::string>().size() > 2);
    CHECK(report.at("command_seconds").is_number());
    CHECK(report.at("lock_wait_seconds").is_number());
    REQUIRE(report.at("setups").size() == 1);
    CHECK(report.at("setups").at(0).at("text") == "echo up");
    CHECK(report.at("setups").at(0).at("exit_code") == 0);
    REQUIRE(report.at("cleanups").size() == 2);
    CHECK(report.at("cleanups").at(0).at("kind") == "remove");
    CHECK(report.at("cleanups").at(1).at("exit_code") == 4);
    CHECK(report.at("cleanups").at(1).at("error").is_string());
}

TEST_CASE("the report and --version name the same version, with the commit") {
    const auto shown = Run({"--version"}).run();
    REQUIRE(Run({"--report", "r", "--", "true"}).run().status == 0);
    CHECK("finally-run " + Json::parse(read_file(work("r"))).at("version").get<std::string>() + '\n' == shown.out);
}

TEST_CASE("the report knows every kind of end") {
    const auto result_of = [](std::vector<std::string> words) {
        words.insert(words.begin(), {"--report", "r"});
        Run(words).run();
        const auto report = Json::parse(read_file(work("r")));
        fs::remove(work("r"));
        return report.at("result").get<std::string>() + " " + report.at("exit_code").dump() + " " +
               report.at("signal").dump();
    };
    CHECK(result_of({"--", "true"}) == "success 0 null");
    CHECK(result_of({"--", "helper", "die-of", "TERM"}) == "signal 143 \"TERM\"");
    CHECK(result_of({"--timeout", ".05", "--", "helper", "pause"}) == "timeout 124 \"TERM\"");
    CHECK(result_of({"-s", "exit 5", "--", "true"}) == "setup-failed 5 null");
    CHECK(result_of({"--", "no-such-program-anywhere"}) == "not-started 127 null");
}

TEST_CASE("the report of a stopped run is written too") {
    auto process = Run({"--report", "r", "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    process.signal(SIGTERM);
    process.finish();
    CHECK(Json::parse(read_file(work("r"))).at("result") == "stopped");
}

TEST_CASE("bytes that are not UTF-8 do not spoil the report") {
    Run({"--report", "r", "-c", "true '\xff'", "--", "true", "\xfe \"quoted\" \x01 line\nbreak"}).run();
    const auto report = Json::parse(read_file(work("r")));
    CHECK(report.at("command").size() == 2);
}

TEST_CASE("a report that cannot be written is said and changes nothing else") {
    const auto outcome =
        Run({"--report", "no/such/directory/r", "-c", "echo cleaned", "--", "helper", "exit", "3"}).run();
    CHECK(has_line(outcome.err, "cleaned"));
    CHECK(outcome.err.find("no/such/directory/r") != std::string::npos);
}

TEST_CASE("the report replaces an old one as a whole and leaves no other file") {
    write_file(work("r"), std::string(100000, 'x'));
    Run({"--report", "r", "--", "true"}).run();
    CHECK(Json::parse(read_file(work("r"))).at("result") == "success");
    CHECK(std::distance(fs::directory_iterator(work()), fs::directory_iterator()) == 1);
}

TEST_CASE("the report can go to a pipe") {
    for (const std::string file : {"/dev/stdout", "-"}) {
        CAPTURE(file);
        const auto outcome = Run({"--report", file, "--", "true"}).run();
        CHECK(Json::parse(outcome.out).at("result") == "success");
        CHECK(fs::is_empty(work()));
    }
}

TEST_CASE("in a GitHub log each setup and cleanup is a group and a failed cleanup an annotation") {
    const std::vector<std::string> words{"-s", "echo up", "-c", "exit 4", "-c", "echo down", "--", "echo", "ran"};
    for (const bool asked : {true, false}) {
        auto all = words;
        if (asked)
            all.insert(all.begin(), {"--ci", "github"});
        auto run = Run(all);
        if (!asked)
            run.env("GITHUB_ACTIONS", "true").env("CI", "true");
        const auto outcome = run.run();
        CHECK(outcome.status == 0);
        CHECK(outcome.out == "ran\n");
        CHECK(count(outcome.err, "::group::") == 3);
        CHECK(count(outcome.err, "::endgroup::") == 3);
        CHECK(count(outcome.err, "::error") == 1);
        CHECK(has_line(outcome.err, "up"));
        CHECK(has_line(outcome.err, "down"));
        CHECK(outcome.err.find("::group::") < outcome.err.find("up\n"));
    }
}

TEST_CASE("in a GitLab log each setup and cleanup is a section that is closed again") {
    for (const bool asked : {true, false}) {
        auto run = asked ? Run({"--ci", "gitlab", "-s", "echo up", "-c", "echo down", "--", "true"})
                         : Run({"-s", "echo up", "-c", "echo down", "--", "true"});
        if (!asked)
            run.env("GITLAB_CI", "true").env("CI", "true");
        const auto outcome = run.run();
        CHECK(count(outcome.err, "section_start:") == 2);
        CHECK(count(outcome.err, "section_end:") == 2);
    }
}

TEST_CASE("without a CI and with none asked for there are no sections") {
    CHECK(Run({"-s", "echo up", "--", "true"}).run().err == "up\n");
    CHECK(Run({"--ci", "none", "-s", "echo up", "--", "true"}).env("GITHUB_ACTIONS", "true").run().err == "up\n");
}

TEST_CASE("a step cannot forge a GitHub command through its text") {
    const auto outcome = Run({"--ci", "github", "-c", "false #\n::error::forged\n##[error]forged", "--", "true"}).run();
    for (const auto& line : lines(outcome.err))
        CHECK(line.rfind("::error::forged", 0) != 0);
    CHECK(count(outcome.err, "::error title") == 1);
    CHECK(outcome.err.find("##[error]") == std::string::npos);
}

TEST_CASE("a run that is refused before its first step replaces an old report too") {
    const auto check_refusal = [](std::vector<std::string> words) {
        write_file(work("r"), "{\"result\": \"success\"}\n");
        words.insert(words.begin(), {"--report", "r"});
        words.insert(words.end(), {"--", "echo", "ran"});
        const auto outcome = Run(words).run();
        CHECK(outcome.status == 125);
        CHECK(outcome.out.empty());
        const auto report = Json::parse(read_file(work("r")));
        CHECK(report.at("result") == "not-started");
        CHECK(report.value("exit_code", 0) == 125);
    };
    check_refusal({"--lock", "no/such/directory/lock"});
    check_refusal({"--remove", "/"});
}

TEST_CASE("the report tells where, by whom and with which locks") {
    Run({"--report", "r", "--lock", "l", "--lock-shared", "./m", "--", "true"}).run();
    const auto report = Json::parse(read_file(work("r")));
    CHECK(report.at("by") == "supervisor");
    CHECK(report.at("directory") == work().string());
    CHECK_FALSE(report.at("host").get<std::string>().empty());
    CHECK_FALSE(report.at("user").get<std::string>().empty());
    CHECK(report.at("locks") == Json::parse(R"([{"name": "l", "shared": false}, {"name": "./m", "shared": true}])"));
}

TEST_CASE("the report is written by the guardian of a run whose supervisor was killed") {
    auto process = Run({"--report", "r", "-c", "exit 3", "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    process.signal(SIGKILL);
    process.finish();
    wait_for_file(work("r"));
    const auto report = Json::parse(read_file(work("r")));
    CHECK(report.at("by") == "guardian");
    CHECK(report.at("result") == "lost");
    CHECK(report.at("command") == Json({"helper", "pause"}));
    CHECK(report.at("setups").is_null());
    CHECK(report.at("cleanups").at(0).at("exit_code") == 3);
}

TEST_CASE("the report says that the next holder has finished the run if it has") {
    static_cast<void>(leave_unfinished(Run({"--report", "r", "-l", "l", "-c", "true", "--", "helper", "pause"})));
    CHECK(Run({"-l", "l", "--", "true"}).run().status == 0);
    CHECK(Json::parse(read_file(work("r"))).at("by") == "next-holder");
}

TEST_CASE("the report is written by whoever recovers the run, in the directory of the start") {
    static_cast<void>(leave_unfinished(
        Run({"--report", "r", "-l", "l", "-c", "echo cleaned >>log", "--", "helper", "pause", "a b"})));
    fs::create_directory(work("elsewhere"));
    CHECK(Run({"--recover"}).cwd(work("elsewhere")).run().status == 0);
    const auto report = Json::parse(read_file(work("r")));
    CHECK(report.at("by") == "recovery");
    CHECK(report.at("result") == "lost");
    CHECK(report.at("command") == Json({"helper", "pause", "a b"}));
    CHECK(report.at("directory") == work().string());
    CHECK(report.at("locks").at(0).at("name") == (state_dir() / "l").string());
    CHECK(report.at("lock_wait_seconds").is_null());
    CHECK(report.at("cleanups").at(0).at("text") == "echo cleaned >>log");
}

} // namespace
} // namespace finally_run::e2e
