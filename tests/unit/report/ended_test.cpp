// report/ended: how a run ended, in one line.
#include "report/ended.hpp"

#include "report/status.hpp"

#include <doctest/doctest.h>

using namespace finally_run;
using namespace std::chrono_literals;

namespace {

const auto now = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));

report::EndedRun cleaned(plan::Actor by, std::chrono::seconds ago = 124s) {
    report::EndedRun run;
    run.id = "20231114T221020-0000000a";
    run.command = "make test";
    run.ended = now - ago;
    run.by = by;
    run.cleanups = {{"cleanup", "a", ""}, {"cleanup", "b", "exit status 1"}, {"remove", "c", ""}};
    return run;
}

} // namespace

TEST_CASE("a line says who cleaned up, when, how many cleanups succeeded and where their output is") {
    auto run = cleaned(plan::Actor::guardian);
    CHECK(report::how_it_ended(run, now) == "cleaned up by its guardian 2m04s ago, 2 of 3 cleanups succeeded");
    run.log = "/state/a\nb.log";
    CHECK(report::how_it_ended(run, now) ==
          "cleaned up by its guardian 2m04s ago, 2 of 3 cleanups succeeded, output in /state/a\\nb.log");
    CHECK(report::how_it_ended(cleaned(plan::Actor::recovery), now).starts_with("cleaned up by a recovery 2m04s ago"));
    CHECK(report::how_it_ended(cleaned(plan::Actor::next_holder), now).starts_with("cleaned up by the next holder of"));
    run = cleaned(plan::Actor::supervisor);
    run.ending.result = plan::Result::caller_gone;
    run.cleanups.resize(1);
    run.ended = {};
    CHECK(report::how_it_ended(run, now) == "its caller had gone, cleaned up, 1 of 1 cleanup succeeded");
}

TEST_CASE("the last five are listed unless all are asked for, with commands cut to the columns") {
    std::vector<report::EndedRun> runs(7, cleaned(plan::Actor::guardian));
    runs.front().command.assign(200, 'x');
    const auto few = report::ended_lines(runs, now, 110, false);
    CHECK(few.find("make test: cleaned up") != std::string::npos);
    CHECK(few.find("xxx...: cleaned up") != std::string::npos);
    CHECK(few.ends_with("and 2 more with --verbose\n"));
    const auto all = report::ended_lines(runs, now, report::uncut, true);
    CHECK(all.find(std::string(200, 'x') + ": cleaned up") != std::string::npos);
    CHECK(all.find("more with") == std::string::npos);
    CHECK(report::ended_lines({}, now, 80, false).empty());
}

TEST_CASE("only the cleanups that were to run after such an end are counted") {
    journal::State state;
    state.opened.run_id = "a";
    state.ending = plan::Ending{plan::Result::success, 0, 0};
    state.done = {{plan::Cleanup::Kind::command, "x", ""}, {plan::Cleanup::Kind::on_failure, "y", ""}};
    const auto run = report::ended_run(state);
    REQUIRE(run.cleanups.size() == 1);
    CHECK(run.cleanups.front().text == "x");
}
