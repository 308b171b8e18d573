#include "report/json_report.hpp"

#include <csignal>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace {

using namespace finally_run;
using namespace std::chrono_literals;

report::Report small_report() {
    report::Report report;
    report.version = "1.0";
    report.id = "r1";
    report.command = {"make", "te\"st"};
    report.ending = {plan::Result::signal, 143, SIGTERM};
    report.started = std::chrono::system_clock::time_point(1700000000123ms);
    report.duration = 3s;
    report.lock_wait = 1500ms;
    report.host = "h";
    report.user = "u";
    report.by = plan::Actor::guardian;
    report.locks = {{"l", true}};
    return report;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("a report without steps is this text") {
    CHECK(report::to_json(small_report()) == R"({
  "version": "1.0",
  "id": "r1",
  "host": "h",
  "user": "u",
  "directory": null,
  "command": [
    "make",
    "te\"st"
  ],
  "result": "signal",
  "by": "guardian",
  "exit_code": 143,
  "signal": "TERM",
  "started": "2023-11-14T22:13:20.123Z",
  "seconds": 3.0,
  "locks": [
    {
      "name": "l",
      "shared": true
    }
  ],
  "lock_wait_seconds": 1.5,
  "command_seconds": null,
  "setups": [],
  "services": [],
  "cleanups": []
}
)");
}

TEST_CASE("each step of a report says how it ended, after how many attempts and how long") {
    auto report = small_report();
    report.command_duration = 2s;
    report.setups = std::vector<report::StepReport>{{"setup", "up", 0, 0, 1, 250ms, ""}};
    report.cleanups = {{"cleanup", "down", 137, SIGKILL, 3, 1234567ns, "killed by signal KILL"},
                       {"cleanup", "nope", std::nullopt, 0, 1, 0s, "no such file"}};
    const auto text = report::to_json(report);
    CHECK(contains(text, R"("command_seconds": 2.0)"));
    CHECK(contains(text, R"(
    {
      "kind": "setup",
      "text": "up",
      "exit_code": 0,
      "signal": null,
      "attempts": 1,
      "seconds": 0.25,
      "error": null
    })"));
    CHECK(contains(text, R"(
      "exit_code": 137,
      "signal": "KILL",
      "attempts": 3,
      "seconds": 0.001235,
      "error": "killed by signal KILL")"));
    CHECK(contains(text, R"(
      "exit_code": null,)"));
}

TEST_CASE("bytes that are not UTF-8 come out as the replacement character, and letters as they are") {
    auto report = small_report();
    report.command = {"a\xff"
                      "b",
                      "\u00e4\u4e2d\n\x01"};
    const auto text = report::to_json(report);
    CHECK(contains(text, "\"a\\ufffdb\""));
    CHECK(contains(text, "\"\u00e4\u4e2d\\n\\u0001\""));
}

TEST_CASE("what a log or a terminal would obey is escaped in JSON") {
    auto report = small_report();
    report.command = {"\u009b2J \u202e \x7f \u200b \U0001f600", "##[error]x ###[group] a#b ##vso[task]"};
    const auto text = report::to_json(report);
    CHECK(contains(text, R"("\u009b2J \u202e \u007f \u200b \ud83d\ude00")"));
    CHECK(contains(text, R"("\u0023#[error]x \u0023\u0023#[group] a#b \u0023#vso[task]")"));
    const auto value = nlohmann::json::parse(text);
    CHECK(value.at("command") == nlohmann::json(report.command));
}

TEST_CASE("a time is written with milliseconds, in UTC") {
    CHECK(report::iso_8601(std::chrono::system_clock::time_point(0s)) == "1970-01-01T00:00:00.000Z");
    CHECK(report::iso_8601(std::chrono::system_clock::time_point(951782399999ms)) == "2000-02-28T23:59:59.999Z");
    CHECK(report::iso_8601(std::chrono::system_clock::time_point(951782400001ms)) == "2000-02-29T00:00:00.001Z");
}
