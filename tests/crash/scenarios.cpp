// Command lines, what they promise, and what is done to whom. See README.md on how to add one.
#include "scenarios.hpp"

#include <algorithm>
#include <csignal>
#include <string_view>
#include <utility>

namespace finally_run::crash {

namespace {

// As a shell has it; what the names do is told in helper/main.cpp.
std::string step(std::string_view name) { return std::string("{helper} ").append(name).append(" {dir} {harness}"); }

// Whose cleanups run last in, first out; a tree that the setup makes and a temporary directory go in between.
const Promise whole_promise{
    .cleanups = {{.name = "shell", .due_after = {"command"}}, {.name = "plain", .due_after = {"setup", "command"}}},
    .removed = {"victim"}};

// finally-run with a lock, a setup, a command that has a child, a removal, a temporary directory and two cleanups.
const Scenario finally_run{
    .run = {"{finally-run}",
            "--state-dir",
            "{dir}/state",
            "--lock",
            "L", //
            "--cleanup",
            step("plain") + " absent victim",
            "--remove",
            "{dir}/victim", //
            "--setup",
            step("setup"),
            "--temp-dir",
            "SCRATCH",
            "--cleanup",
            step("shell") + "; :", //
            "--",
            "{helper}",
            "command",
            "{dir}",
            "{harness}"},
    .recover = {"{finally-run}", "--state-dir", "{dir}/state", "--recover"},
    .next_holder = {"{finally-run}", "--state-dir", "{dir}/state", "--lock", "L", //
                    "--", "{helper}", "next", "{dir}", "{harness}"},
    .copies = {{Role::supervisor, Role::guardian}, {Role::finisher, Role::guardian}},
    .promise = whole_promise,
};

// Before it is finished somebody without its lock says that it was left.
const Scenario passed_by = [] {
    Scenario scenario = finally_run;
    scenario.passer_by = {"{finally-run}", "--state-dir", "{dir}/state", "--", "/bin/true"};
    scenario.copies.push_back({Role::passer_by, Role::guardian});
    return scenario;
}();

// The same in a CI job, where a sentinel stands beside the command.
const Scenario in_ci = [] {
    Scenario scenario = finally_run;
    scenario.environment.emplace_back("CI=true");
    scenario.copies = {{Role::supervisor, Role::guardian},
                       {Role::supervisor, Role::sentinel},
                       {Role::finisher, Role::guardian},
                       {Role::finisher, Role::sentinel}};
    return scenario;
}();

// A run of a command, with these cleanups.
Scenario cleaning_up(const std::vector<std::string>& names, std::vector<Cleanup> due) {
    Scenario scenario = finally_run;
    scenario.run = {"{finally-run}", "--state-dir", "{dir}/state", "--lock", "L"};
    for (const std::string& name : names) {
        scenario.run.insert(scenario.run.end(), {"--cleanup", step(name)});
    }
    scenario.run.insert(scenario.run.end(), {"--", "{helper}", "command", "{dir}", "{harness}"});
    scenario.promise = {.cleanups = std::move(due), .removed = {}};
    return scenario;
}

// The second of its cleanups fails, whoever tries it.
const Scenario failing_cleanup =
    cleaning_up({"plain", "failing", "shell"}, {{.name = "shell", .due_after = {"command"}},
                                                {.name = "failing", .due_after = {"command"}, .fails = true},
                                                {.name = "plain", .due_after = {"command"}}});

// Its first cleanup waits a while for the death of whoever made it.
const Scenario outliving = cleaning_up({"plain", "outliving"}, {{.name = "outliving", .due_after = {"command"}},
                                                                {.name = "plain", .due_after = {"command"}}});

// A service stands between its cleanup and its command.
const Scenario serving = [] {
    Scenario scenario = cleaning_up({"plain"}, {{.name = "plain", .due_after = {"service", "command"}}});
    const auto command = std::find(scenario.run.begin(), scenario.run.end(), "--");
    scenario.run.insert(command, {"--service", step("service")});
    return scenario;
}();

// With a lock at an engine too.
const Scenario keeping = [] {
    Scenario scenario = cleaning_up({"plain"}, {{.name = "plain", .due_after = {"command"}}});
    for (Words* const words : {&scenario.run, &scenario.next_holder}) {
        words->insert(std::find(words->begin(), words->end(), "--"), {"--lock", "crash:E"});
    }
    scenario.copies = {{Role::supervisor, Role::keeper},
                       {Role::supervisor, Role::guardian},
                       {Role::finisher, Role::keeper},
                       {Role::finisher, Role::guardian}};
    scenario.environment.front() = "PATH={dir}/..:/usr/local/bin:/usr/bin:/bin";
    return scenario;
}();

// ... whose last holder has not cleaned up.
const Scenario keeping_after = [] {
    Scenario scenario = keeping;
    scenario.run.insert(std::find(scenario.run.begin(), scenario.run.end(), "--"),
                        {"--cleanup-anywhere", step("anywhere")});
    scenario.unclean = true;
    return scenario;
}();

// The same with flock(1) and a trap of bash, which is where the guardian is otherwise.
const Scenario flock_and_trap{
    .run = {"/usr/bin/flock", "{dir}/state/L", "/bin/bash", "-c",
            "trap '" + step("shell") + "; rm -rf {dir}/tmp/*; rm -rf {dir}/victim; " + step("plain") +
                " absent victim' EXIT; " + step("setup") + " && mkdir {dir}/tmp/scratch && " + step("command")},
    .copies = {{Role::supervisor, Role::guardian, true}},
    .promise = whole_promise,
};

const Blow kill_supervisor{.killed = {Role::supervisor}};
const Blow kill_guardian{.killed = {Role::guardian}};
const Blow kill_sentinel{.killed = {Role::sentinel}};
const Blow kill_both{.killed = {Role::supervisor, Role::guardian}};
const Blow kill_keeper{.killed = {Role::keeper}};
const Blow kill_all{.killed = {Role::supervisor, Role::guardian, Role::keeper}};
const Blow kill_passer_by{.killed = {Role::passer_by}};
const Blow kill_finisher{.killed = {Role::finisher}};
const Blow fail_call{.fails_call = true};

struct Actor {
    std::string name;
    Role role;
};

// What is done at each point of an actor.
struct Deed {
    std::string name;
    Blow blow;
    Finisher finisher = Finisher::none;
};

// Each of these at each point of each of those.
std::vector<Row> rows_of(const std::vector<Actor>& actors, const std::vector<Deed>& deeds) {
    std::vector<Row> rows;
    for (const Actor& actor : actors) {
        for (const Deed& deed : deeds) {
            rows.push_back({.name = actor.name + ": " + deed.name,
                            .actor = actor.role,
                            .blow = deed.blow,
                            .finisher = deed.finisher});
        }
    }
    return rows;
}

const std::vector<Actor> actors{{"supervisor", Role::supervisor}, {"guardian", Role::guardian}};

const std::vector<Deed> deeds{
    {"KILL supervisor", kill_supervisor},
    {"KILL guardian", kill_guardian},
    {"TERM", {.signal = SIGTERM}},
    {"INT", {.signal = SIGINT}},
    {"HUP", {.signal = SIGHUP}},
    {"KILL both, recover", kill_both, Finisher::recover},
    {"KILL both, next holder", kill_both, Finisher::next_holder},
};

// A run that is finished by somebody else from this moment on.
const std::vector<std::pair<std::string, std::string>> openings{
    {"setup", "setup"}, {"command", "command"}, {"cleanup", "shell"}};

Row takeover(const std::string& name, const std::string& opening, const Blow& blow) {
    return {.name = name,
            .actor = Role::guardian,
            .blow = blow,
            .finisher = Finisher::recover,
            .opening = opening,
            .first_blow = kill_supervisor};
}

Row recovery(const std::string& name, const std::string& opening, const Blow& blow, Finisher finisher) {
    return {.name = name,
            .actor = Role::finisher,
            .blow = blow,
            .finisher = finisher,
            .opening = opening,
            .first_blow = kill_both};
}

Row child_held(Row row) {
    row.name.insert(0, "child held: ");
    row.hold_child = true;
    return row;
}

std::vector<Row> kills() {
    std::vector<Row> rows = rows_of(actors, deeds);
    for (const auto& [name, opening] : openings) {
        rows.push_back(takeover("takeover in the " + name + ": KILL guardian, recover", opening, kill_guardian));
    }
    for (const auto& [name, opening] : openings) {
        rows.push_back(
            recovery("recovery after the " + name + ": KILL it, recover", opening, kill_finisher, Finisher::recover));
    }
    rows.push_back(
        recovery("next holder after the command: KILL it, recover", "command", kill_finisher, Finisher::next_holder));
    rows.push_back(child_held({.name = "KILL supervisor", .blow = kill_supervisor}));
    rows.push_back(child_held({.name = "KILL both, recover", .blow = kill_both, .finisher = Finisher::recover}));
    rows.push_back(
        child_held({.name = "KILL both, next holder", .blow = kill_both, .finisher = Finisher::next_holder}));
    rows.push_back(child_held(takeover("KILL guardian in its takeover, recover", "command", kill_guardian)));
    rows.push_back(child_held(recovery("KILL recovery, recover", "command", kill_finisher, Finisher::recover)));
    return rows;
}

std::vector<Row> sentinels() {
    return rows_of(
        {{"supervisor", Role::supervisor}, {"sentinel", Role::sentinel}},
        {{"KILL supervisor", kill_supervisor}, {"KILL sentinel", kill_sentinel}, {"TERM", {.signal = SIGTERM}}});
}

// From the moment on when that cleanup begins, at the points of the supervisor.
Row from(const std::string& opening, const std::string& name, const Blow& blow, Finisher finisher = Finisher::none) {
    return {.name = name, .blow = blow, .finisher = finisher, .opening = opening};
}

std::vector<Row> failed_cleanups() {
    const std::string opening = "failing";
    return {
        from(opening, "supervisor: KILL supervisor", kill_supervisor),
        from(opening, "supervisor: KILL both, next holder", kill_both, Finisher::next_holder),
        takeover("takeover in it: KILL guardian, recover", opening, kill_guardian),
    };
}

std::vector<Row> failed_before() {
    const std::string opening = "plain";
    return {
        recovery("recovery: KILL it, recover", opening, kill_finisher, Finisher::recover),
        recovery("next holder: KILL it, recover", opening, kill_finisher, Finisher::next_holder),
    };
}

// What becomes of whoever tells of a run does not matter to it.
std::vector<Row> told_runs() {
    const auto passing_by = [](const std::string& name, const Blow& blow, Finisher finisher) {
        Row row = recovery("passer-by: " + name, "command", blow, finisher);
        row.actor = Role::passer_by;
        return row;
    };
    return {
        passing_by("KILL it, recover", kill_passer_by, Finisher::recover),
        passing_by("KILL it, next holder", kill_passer_by, Finisher::next_holder),
        passing_by("a call fails, next holder", fail_call, Finisher::next_holder),
        recovery("recovery: KILL it, recover", "command", kill_finisher, Finisher::recover),
        recovery("next holder: KILL it, recover", "command", kill_finisher, Finisher::next_holder),
    };
}

// Whoever takes over must not run it again.
std::vector<Row> outlived_cleanups() {
    return {from("outliving", "supervisor: KILL supervisor", kill_supervisor),
            takeover("takeover in it: TERM to the guardian", "outliving",
                     {.signal = SIGTERM, .signalled = Role::guardian})};
}

std::vector<Row> services() {
    return {{.name = "supervisor: KILL supervisor", .blow = kill_supervisor},
            {.name = "supervisor: KILL both, recover", .blow = kill_both, .finisher = Finisher::recover},
            takeover("takeover in the command: KILL guardian, recover", "command", kill_guardian)};
}

std::vector<Row> keepers() {
    std::vector<Row> rows =
        rows_of({{"supervisor", Role::supervisor}, {"guardian", Role::guardian}, {"keeper", Role::keeper}},
                {{"KILL keeper", kill_keeper},
                 {"KILL both, keeper finishes", kill_both},
                 {"KILL supervisor and keeper", {.killed = {Role::supervisor, Role::keeper}}},
                 {"KILL all, recover", kill_all, Finisher::recover}});
    rows.push_back({.name = "keeper finishes from the command on: KILL keeper, next holder",
                    .actor = Role::keeper,
                    .blow = kill_keeper,
                    .finisher = Finisher::next_holder,
                    .opening = "command",
                    .first_blow = kill_both});
    return rows;
}

std::vector<Row> after_unclean() {
    return {{.name = "supervisor: KILL supervisor", .blow = kill_supervisor},
            {.name = "supervisor: KILL both, keeper finishes", .blow = kill_both}};
}

std::vector<Row> failures() {
    std::vector<Row> rows = rows_of(actors, {{"a call fails", fail_call}});
    rows.push_back(takeover("takeover in the command: a call fails", "command", fail_call));
    rows.push_back(recovery("recovery after the command: a call fails", "command", fail_call, Finisher::recover));
    return rows;
}

std::vector<Row> baseline() {
    return rows_of({{"flock", Role::supervisor}, {"bash", Role::guardian}}, {{"KILL flock", kill_supervisor},
                                                                             {"KILL bash", kill_guardian},
                                                                             {"KILL both", kill_both},
                                                                             {"TERM to flock", {.signal = SIGTERM}}});
}

} // namespace

std::vector<Campaign> campaigns() {
    return {
        {.name = "kills", .scenario = finally_run, .rows = kills()},
        {.name = "sentinels", .scenario = in_ci, .rows = sentinels()},
        {.name = "failed", .scenario = failing_cleanup, .rows = failed_cleanups()},
        {.name = "failed-before", .scenario = failing_cleanup, .rows = failed_before()},
        {.name = "told", .scenario = passed_by, .rows = told_runs()},
        {.name = "outlived", .scenario = outliving, .rows = outlived_cleanups()},
        {.name = "services", .scenario = serving, .rows = services()},
        {.name = "keepers", .scenario = keeping, .rows = keepers()},
        {.name = "unclean", .scenario = keeping_after, .rows = after_unclean()},
        {.name = "failures", .scenario = finally_run, .rows = failures()},
        {.name = "baseline", .scenario = flock_and_trap, .rows = baseline(), .finds_fault = true},
    };
}

} // namespace finally_run::crash
