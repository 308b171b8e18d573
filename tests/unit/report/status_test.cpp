// The values of --status as a table and as JSON.
#include "report/status.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <utility>

namespace {

using namespace finally_run;
using namespace std::chrono_literals;
using report::RunStatus;
using State = RunStatus::State;
using Json = nlohmann::json;

constexpr std::chrono::system_clock::time_point asked_at(1700000000123ms);
constexpr std::size_t wide = 120;

RunStatus running() {
    RunStatus run;
    run.id = "20231114T221020-0000000a";
    run.pid = 4711;
    run.started = asked_at - 125s;
    run.locks = {{"deploy"}};
    run.cleanups = {{"cleanup", "docker compose down"}, {"remove", "/tmp/x"}};
    run.command = "make test";
    run.directory = "/srv/app";
    return run;
}

RunStatus unfinished() {
    RunStatus run = running();
    run.id = "20231111T200000-0000000b";
    run.state = State::unfinished;
    run.pid = 0;
    run.started = asked_at - 76h;
    return run;
}

RunStatus damaged() {
    RunStatus run;
    run.id = "20231110T200000-0000000c";
    run.state = State::damaged;
    run.error = "damaged at byte 512";
    return run;
}

std::string table(const std::vector<RunStatus>& runs, std::size_t columns = wide) {
    return report::to_table(runs, asked_at, columns);
}

Json json(const std::vector<RunStatus>& runs) { return Json::parse(report::to_json(runs)); }

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("the table of no runs says so, and their JSON is an empty list") {
    CHECK(table({}) == "no runs\n");
    CHECK(report::to_json(std::vector<RunStatus>{}) ==
          "{\n  \"state_dir\": null,\n  \"user\": null,\n  \"host\": null,\n  \"runs\": [],\n  \"ended\": [],\n  "
          "\"locks\": []\n}\n");
    CHECK(report::to_json(std::vector<RunStatus>{}, {"/s", "u", "h", {}}).find("\"state_dir\": \"/s\"") !=
          std::string::npos);
}

TEST_CASE("a row says all of a run that fits, and below it are the cleanups in the order in which they run") {
    CHECK(table({running()}) ==
          R"(RUN                       STATE    PID   AGE    LOCKS   CLEANUPS  COMMAND
20231114T221020-0000000a  running  4711  2m05s  deploy  2         make test
  next     cleanup: docker compose down
           remove: /tmp/x
)");
}

TEST_CASE("what runs now is named once, wherever on the stack it is") {
    auto run = running();
    run.state = State::cleaning_up;
    run.cleanups.push_back(run.cleanups.front()); // the same text is another cleanup
    run.current = run.cleanups.front();
    CHECK(has(table({run}), R"(
20231114T221020-0000000a  cleaning up  4711  2m05s  deploy  3         make test
  now      cleanup: docker compose down
  next     remove: /tmp/x
           cleanup: docker compose down
)"));
    run.state = State::setup;
    run.current = {"setup", ""};
    run.cleanups.resize(1);
    CHECK(has(table({run}), "\n  now      setup\n  next     cleanup: docker compose down\n"));
}

TEST_CASE("the table says what to do about an unfinished run, and where it was started") {
    CHECK(table({unfinished()}) ==
          R"(RUN                       STATE       PID  AGE    LOCKS   CLEANUPS  COMMAND
20231111T200000-0000000b  unfinished  -    3d04h  deploy  2         make test
  next     cleanup: docker compose down
           remove: /tmp/x
  in       /srv/app

To run what is left:  finally-run --recover
To drop it:           finally-run --forget 20231111T200000-0000000b
)");
}

TEST_CASE("the table says what of an unfinished run still runs") {
    auto run = unfinished();
    run.step_pid = 12;
    run.step_started = asked_at - 5s;
    CHECK(table({run}).find("\n  now      command, still running (pid 12, 5s)\n") != std::string::npos);
    run.current = RunStatus::Step{"service", "redis-server"};
    CHECK(table({run}).find("\n  now      service: redis-server, still running (pid 12, 5s)\n") != std::string::npos);
}

TEST_CASE("the table says why a run is damaged, and what to do about it") {
    CHECK(table({damaged()}) == R"(RUN                       STATE    PID  AGE  LOCKS  CLEANUPS  COMMAND
20231110T200000-0000000c  damaged  -    -    -      ?
  error    damaged at byte 512

Damaged: clean up by hand, then finally-run --forget 20231110T200000-0000000c
)");
}

TEST_CASE("of several unfinished runs the reader picks one, and the advice is for this state directory") {
    const std::vector<RunStatus> runs{unfinished(), running(), unfinished(), damaged(), damaged()};
    const auto text = report::to_table(runs, asked_at, wide, "finally-run --state-dir '/x\n'");
    CHECK(text.ends_with(R"(
To run what is left:  finally-run --state-dir '/x\n' --recover, or of one alone: --recover RUN
To drop it:           finally-run --state-dir '/x\n' --forget RUN
Damaged: clean up by hand, then finally-run --state-dir '/x\n' --forget RUN
)"));
}

TEST_CASE("a run of another host says whose it is, and that it is finished here only by its id") {
    auto elsewhere = unfinished();
    elsewhere.host = "build\n7";
    elsewhere.elsewhere = true;
    const auto text = report::to_table(std::vector<RunStatus>{elsewhere}, asked_at, wide);
    CHECK(text.find("  host     build\\n7\n") != std::string::npos);
    CHECK(text.find("Of another host, here: finally-run --recover RUN\nTo drop it: ") != std::string::npos);
    CHECK(text.find("To run what is left") == std::string::npos);
    CHECK(report::to_table(std::vector<RunStatus>{unfinished()}, asked_at, wide).find("host") == std::string::npos);
}

TEST_CASE("nobody is told to do anything about runs that somebody works on") {
    auto finishing = running();
    finishing.state = State::finishing;
    const auto text = table({running(), finishing});
    CHECK(has(text, "  finishing  "));
    CHECK_FALSE(has(text, "--recover"));
    CHECK_FALSE(has(text, "--forget"));
}

TEST_CASE("the columns of all rows stand below each other, wide characters included") {
    auto run = running();
    run.locks = {{"\u65e5\u672c"}};
    auto second = running();
    second.locks = {{"\u00e4\u2026"}};
    second.cleanups = run.cleanups = {};
    CHECK(table({run, second}) ==
          "RUN                       STATE    PID   AGE    LOCKS  CLEANUPS  COMMAND\n"
          "20231114T221020-0000000a  running  4711  2m05s  \u65e5\u672c   0         make test\n"
          "20231114T221020-0000000a  running  4711  2m05s  \u00e4\u2026     0         make test\n");
}

TEST_CASE("a long command is cut at the last column, and where little room is left it has its own line") {
    auto run = running();
    run.command = std::string(300, 'c');
    run.cleanups = {};
    const auto row = [](const std::string& text) { return text.substr(text.find('\n') + 1); };
    const auto in_row = row(table({run}, 100));
    CHECK(in_row.size() == 101);
    CHECK(in_row.ends_with("ccc...\n"));
    const auto below = row(table({run}, 80));
    CHECK(below.starts_with("20231114T221020-0000000a  running  4711  2m05s  deploy  0\n  command  ccc"));
    CHECK(row(below).size() == 81);
    CHECK(below.ends_with("ccc...\n"));
    CHECK_FALSE(has(table({run}, 80), "COMMAND"));
    CHECK(table({run}, 0) == table({run}, 40));
    CHECK_FALSE(has(table({damaged()}, 40), "command"));
}

TEST_CASE("locks that do not fit are below the row, whole") {
    auto run = running();
    run.cleanups = {};
    run.locks = {{"/var/lock/some/where/deep/deploy.lock"}};
    auto text = table({run}, 100);
    CHECK(has(text, "  .../deep/deploy.lock  "));
    CHECK(has(text, "\n  lock     /var/lock/some/where/deep/deploy.lock\n"));
    run.locks.push_back({"db", true});
    text = table({run}, 100);
    CHECK(has(text, "  .../deploy.lock +1  "));
    CHECK(has(text, "\n  lock     /var/lock/some/where/deep/deploy.lock\n  lock     db (shared)\n"));
    run.locks = {{"/long/enough/for/a/line/of/its/own"}, {"::error::x"}};
    CHECK(has(table({run}, 100), "\n  lock     ::error::x\n"));
    run.locks = {{"a", true}, {"b"}};
    text = table({run}, 100);
    CHECK(has(text, "  a (shared), b  "));
    CHECK_FALSE(has(text, "lock "));
}

TEST_CASE("of a tall stack the next cleanups are shown, and how many more there are") {
    auto run = running();
    run.cleanups.clear();
    for (int i = 0; i < 8; ++i) {
        run.cleanups.push_back({"cleanup", "c" + std::to_string(i)});
    }
    CHECK(table({run}).ends_with("\n           cleanup: c7\n"));
    run.cleanups.push_back({"cleanup", "c8"});
    CHECK(table({run}).ends_with("\n           cleanup: c7\n           and 1 more\n"));
}

TEST_CASE("paths and addresses below a row are never cut, for people copy them") {
    auto run = running();
    run.job_url = "https://ci.example/" + std::string(300, 'j');
    run.log = "/state/" + std::string(300, 'l');
    const auto text = table({run}, 80);
    CHECK(has(text, "\n  job      " + run.job_url + '\n'));
    CHECK(has(text, "\n  log      " + run.log + '\n'));
}

TEST_CASE("foreign text in the table moves no cursor, breaks no line and is no command of a CI log") {
    const std::string evil = "\n\x1b[2J##[error]x\xff";
    RunStatus run = damaged();
    run.id = run.command = run.directory = run.job_url = run.log = run.error = evil;
    run.locks = {{evil}, {evil}};
    run.cleanups = {{"cleanup", evil}};
    run.current = {"setup", evil};
    for (const auto& [columns, lines] : {std::pair{40, 13}, {120, 12}, {300, 10}}) {
        const auto text = table({run}, static_cast<std::size_t>(columns));
        CAPTURE(text);
        CHECK_FALSE(has(text, "\x1b"));
        CHECK_FALSE(has(text, "\xff"));
        CHECK_FALSE(has(text, "##["));
        CHECK(has(text, "\\n\\e[2J#\\x23[error]x\\xff"));
        CHECK(std::count(text.begin(), text.end(), '\n') == lines);
    }
}

TEST_CASE("an age is as short as it can be read, and never negative") {
    const auto age = [](std::chrono::system_clock::duration value) {
        auto run = running();
        run.started = asked_at - value;
        const auto text = table({run});
        const auto begin = text.find("4711  ") + 6;
        return text.substr(begin, text.find(' ', begin) - begin);
    };
    CHECK(age(-5s) == "0s");
    CHECK(age(59900ms) == "59s");
    CHECK(age(60s) == "1m00s");
    CHECK(age(1h - 1s) == "59m59s");
    CHECK(age(1h) == "1h00m");
    CHECK(age(24h - 1s) == "23h59m");
    CHECK(age(24h) == "1d00h");
    CHECK(age(asked_at.time_since_epoch()) == "-");
}

TEST_CASE("the JSON of a run is this text") {
    auto run = running();
    run.state = State::cleaning_up;
    run.current = run.cleanups.front();
    run.cleanups.resize(1);
    run.locks = {{"deploy"}, {"/var/lock/db", true}};
    run.log = "/state/a.log";
    CHECK(report::to_json(std::vector<RunStatus>{run}) == R"({
  "state_dir": null,
  "user": null,
  "host": null,
  "runs": [
    {
      "id": "20231114T221020-0000000a",
      "state": "cleaning-up",
      "pid": 4711,
      "started": "2023-11-14T22:11:15.123Z",
      "locks": [
        {
          "name": "deploy",
          "shared": false
        },
        {
          "name": "/var/lock/db",
          "shared": true
        }
      ],
      "cleanups": [
        {
          "kind": "cleanup",
          "text": "docker compose down"
        }
      ],
      "step_pid": null,
      "step_started": null,
      "failed": [],
      "current": {
        "kind": "cleanup",
        "text": "docker compose down"
      },
      "command": "make test",
      "directory": "/srv/app",
      "host": null,
      "other_host": false,
      "job_url": null,
      "log": "/state/a.log",
      "error": null
    }
  ],
  "ended": [],
  "locks": []
}
)");
}

TEST_CASE("what is not known of a run is null in its JSON") {
    const auto run = json({damaged()}).at("runs").at(0);
    for (const char* name : {"pid", "started", "current", "command", "directory", "job_url", "log"}) {
        CAPTURE(name);
        CHECK(run.at(name).is_null());
    }
    CHECK(run.at("locks") == Json::array());
    CHECK(run.at("cleanups") == Json::array());
    CHECK(run.at("error") == "damaged at byte 512");
}

TEST_CASE("each state has a name of its own") {
    const auto names = [](std::initializer_list<State> states) {
        std::string text;
        for (const auto state : states) {
            text.append(report::name_of(state)).append(" ");
        }
        return text;
    };
    CHECK(names({State::running, State::suspended, State::setup, State::cleaning_up, State::finishing,
                 State::unfinished, State::damaged}) ==
          "running suspended setup cleaning-up finishing unfinished damaged ");
}

TEST_CASE("the JSON of any bytes is valid, with the replacement character for what is not UTF-8") {
    auto run = running();
    run.command = "a\xff\n";
    run.locks = {{"\xc3"}};
    run.cleanups = {{"remove", "\xed\xa0\x80"}};
    const auto value = json({run, run}).at("runs").at(1);
    CHECK(value.at("command") == "a\ufffd\n");
    CHECK(value.at("locks").at(0).at("name") == "\ufffd");
    CHECK(value.at("cleanups").at(0).at("text").get<std::string>().starts_with("\ufffd"));
}
