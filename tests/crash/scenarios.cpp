// Command lines, and what is done to whom.
#include "scenarios.hpp"

#include <unistd.h>

#include <utility>

namespace finally_run::crash {

namespace {

// By the link that stands beside the directories of the trials: the helper's own path may have blanks.
std::string helper(const std::string& what, const std::string& directory) {
    return std::string(directory)
        .append("/../crash_helper ")
        .append(what)
        .append(" ")
        .append(directory)
        .append(" ")
        .append(std::to_string(::getpid()));
}

const std::vector<std::pair<std::string, Blow>> blows_at_a_run{
    {"KILL supervisor", Blow::kill_supervisor},
    {"KILL guardian", Blow::kill_guardian},
    {"TERM", Blow::term},
    {"INT", Blow::interrupt},
    {"HUP", Blow::hangup},
};

const std::vector<std::pair<std::string, Moment>> openings{
    {"setup", Moment::setup}, {"command", Moment::command}, {"cleanup", Moment::first_cleanup}};

} // namespace

std::vector<std::string> FinallyRun::run(const std::string& directory) const {
    return {FINALLY_RUN_BINARY,
            "--state-dir",
            directory + "/state",
            "--lock",
            "L",
            "--cleanup",
            helper("plain", directory),
            "--remove",
            directory + "/victim",
            "--setup",
            helper("setup", directory),
            "--temp-dir",
            "SCRATCH",
            "--cleanup",
            helper("shell", directory) + "; :",
            "--",
            FINALLY_RUN_CRASH_HELPER,
            "command",
            directory,
            std::to_string(::getpid())};
}

std::vector<std::string> FinallyRun::finish(const std::string& directory, Finisher finisher) const {
    std::vector<std::string> words{FINALLY_RUN_BINARY, "--state-dir", directory + "/state"};
    if (finisher == Finisher::recover) {
        words.emplace_back("--recover");
        return words;
    }
    words.insert(words.end(), {"--lock", "L", "--", FINALLY_RUN_CRASH_HELPER, "next", directory, "0"});
    return words;
}

std::vector<std::string> FlockAndTrap::run(const std::string& directory) const {
    std::string script = "trap '";
    script.append(helper("shell", directory)).append("; rm -rf ").append(directory).append("/tmp/*; rm -rf ");
    script.append(directory).append("/victim; ").append(helper("plain", directory)).append("' EXIT; ");
    script.append(helper("setup", directory)).append(" && mkdir ").append(directory).append("/tmp/scratch && ");
    script.append(helper("command", directory));
    return {"/usr/bin/flock", directory + "/state/L", "/bin/bash", "-c", script};
}

std::vector<std::string> FlockAndTrap::finish(const std::string& /*directory*/, Finisher /*finisher*/) const {
    return {"/bin/true"};
}

std::vector<Row> rows_of_kills() {
    std::vector<Row> rows;
    for (const auto& [actor, role] :
         {std::pair("supervisor", Role::supervisor), std::pair("guardian", Role::guardian)}) {
        for (const auto& [name, blow] : blows_at_a_run) {
            rows.push_back({std::string(actor) + ": " + name, role, blow});
        }
        rows.push_back({std::string(actor) + ": KILL both, recover", role, Blow::kill_both, Finisher::recover});
        rows.push_back({std::string(actor) + ": KILL both, next holder", role, Blow::kill_both, Finisher::next_holder});
    }
    for (const auto& [name, moment] : openings) {
        rows.push_back({"takeover in the " + name + ": KILL guardian, recover", Role::guardian, Blow::kill_guardian,
                        Finisher::recover, moment, Blow::kill_supervisor});
    }
    for (const auto& [name, moment] : openings) {
        rows.push_back({"recovery after the " + name + ": KILL it, recover", Role::finisher, Blow::kill_finisher,
                        Finisher::recover, moment, Blow::kill_both});
    }
    rows.push_back({"next holder after the command: KILL it, recover", Role::finisher, Blow::kill_finisher,
                    Finisher::next_holder, Moment::command, Blow::kill_both});
    for (Row row : std::vector<Row>{
             {"KILL supervisor", Role::supervisor, Blow::kill_supervisor},
             {"KILL both, recover", Role::supervisor, Blow::kill_both, Finisher::recover},
             {"KILL both, next holder", Role::supervisor, Blow::kill_both, Finisher::next_holder},
             {"KILL guardian in its takeover, recover", Role::guardian, Blow::kill_guardian, Finisher::recover,
              Moment::command, Blow::kill_supervisor},
             {"KILL recovery, recover", Role::finisher, Blow::kill_finisher, Finisher::recover, Moment::command,
              Blow::kill_both},
         }) {
        row.name.insert(0, "child held: ");
        row.hold_child = true;
        rows.push_back(row);
    }
    return rows;
}

std::vector<Row> rows_of_failures() {
    const auto fail = Blow::fail_call;
    return {
        {"supervisor: a call fails", Role::supervisor, fail},
        {"guardian: a call fails", Role::guardian, fail},
        {"takeover in the command: a call fails", Role::guardian, fail, Finisher::recover, Moment::command,
         Blow::kill_supervisor},
        {"recovery after the command: a call fails", Role::finisher, fail, Finisher::recover, Moment::command,
         Blow::kill_both},
    };
}

std::vector<Row> rows_of_baseline() {
    std::vector<Row> rows;
    for (const auto& [actor, role] : {std::pair("flock", Role::supervisor), std::pair("bash", Role::guardian)}) {
        rows.push_back({std::string(actor) + ": KILL flock", role, Blow::kill_supervisor});
        rows.push_back({std::string(actor) + ": KILL bash", role, Blow::kill_guardian});
        rows.push_back({std::string(actor) + ": KILL both", role, Blow::kill_both});
        rows.push_back({std::string(actor) + ": TERM to flock", role, Blow::term});
    }
    return rows;
}

} // namespace finally_run::crash
