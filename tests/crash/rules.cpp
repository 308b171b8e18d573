// For each rule a run that breaks it, and runs that break none.
#include "rules.hpp"

#include "verdict.hpp"

#include <csignal>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::crash {

namespace {

using Log = std::vector<std::string>;

const Log good{"setup begin 1", "setup end 1", "command begin 2", "child begin 3", "command end 2",
               "shell begin 4", "shell end 4", "plain begin 5",   "plain end 5"};

const Promise promise{
    .cleanups = {{.name = "shell", .due_after = {"command"}}, {.name = "plain", .due_after = {"setup", "command"}}},
    .removed = {}};

// Whose cleanup "shell" fails each time.
const Promise failing{.cleanups = {{.name = "shell", .due_after = {"command"}, .fails = true},
                                   {.name = "plain", .due_after = {"setup", "command"}}},
                      .removed = {}};

constexpr int exited(int code) { return code << 8; }

Log without(Log log, std::string_view line) {
    std::erase(log, line);
    return log;
}

Log with(Log log, std::string_view line, std::string_view before) {
    for (auto at = log.begin(); at != log.end(); ++at) {
        if (*at == before) {
            log.insert(at, std::string(line));
            return log;
        }
    }
    log.emplace_back(line);
    return log;
}

struct Rule {
    std::string_view name;
    std::string_view faults; // as names_of has them
    std::function<void(Seen&)> change;
    const Promise& promised = promise;
};

void stay(Seen& seen) {
    seen.failure_kept = true;
    seen.err = "finally-run: cleanup: shell: exit status 7\n";
}

void try_again(Seen& seen) {
    stay(seen);
    seen.supervisor_killed = seen.copy_killed = seen.recovered = true;
    seen.finisher_status = exited(120);
    seen.log.insert(seen.log.end(), {"shell begin 6", "shell end 6"});
}

const std::vector<Rule> rules{
    {"a good run", "", [](Seen&) {}},
    {"a run that dies of the signal", "",
     [](Seen& seen) {
         seen.log = without(good, "command end 2");
         seen.signal = SIGTERM;
         seen.status = SIGTERM;
     }},
    {"a cleanup that was cut off and ran again", "",
     [](Seen& seen) {
         seen.supervisor_killed = true;
         seen.log = with(good, "shell begin 3", "shell begin 4");
     }},
    {"nothing begun", "",
     [](Seen& seen) {
         seen.log.clear();
         seen.supervisor_killed = true;
     }},
    {"a cleanup from before the setup missing", "lost", [](Seen& seen) { seen.log = without(good, "plain end 5"); }},
    {"a cleanup from after the setup missing", "lost", [](Seen& seen) { seen.log = without(good, "shell end 4"); }},
    {"a tree not removed", "lost", [](Seen& seen) { seen.left_tree = true; }},
    {"a temporary directory not removed", "lost", [](Seen& seen) { seen.left_temp_dir = true; }},
    {"a temporary directory of a run that has not begun", "file",
     [](Seen& seen) {
         seen.log.clear();
         seen.supervisor_killed = true;
         seen.left_temp_dir = true;
     }},
    {"a cleanup before any step", "baseless", [](Seen& seen) { seen.first_program = "crash_helper plain dir 1 "; }},
    {"a cleanup that found the command alive", "alive",
     [](Seen& seen) { seen.log = with(good, "shell alive 4", "shell end 4"); }},
    {"a command that came to life during a cleanup", "alive",
     [](Seen& seen) { seen.log = with(without(good, "child begin 3"), "child begin 3", "shell end 4"); }},
    {"a cleanup that found the lock free", "unlocked",
     [](Seen& seen) { seen.log = with(good, "plain unlocked 5", "plain end 5"); }},
    {"a next holder before the last cleanup", "unlocked",
     [](Seen& seen) { seen.log = with(good, "next begin 6", "plain begin 5"); }},
    {"the same after everybody else was killed", "excused",
     [](Seen& seen) {
         seen.log = with(good, "plain unlocked 5 5", "plain end 5");
         seen.abandoned = {"5"};
     }},
    {"a later cleanup that found the lock free", "unlocked",
     [](Seen& seen) {
         seen.log = with(good, "plain unlocked 5 5", "plain end 5");
         seen.abandoned = {"4"};
     }},
    {"a lock that is still held", "locked", [](Seen& seen) { seen.left_lock = true; }},
    {"a finished cleanup once more", "again", [](Seen& seen) { seen.log = with(good, "shell begin 6", ""); }},
    {"two of a cleanup at once", "again", [](Seen& seen) { seen.log = with(good, "shell begin 6", "shell end 4"); }},
    {"a removal that comes too late", "again",
     [](Seen& seen) { seen.log = with(good, "plain early 5", "plain end 5"); }},
    {"a process left", "process", [](Seen& seen) { seen.left_process = true; }},
    {"a cleanup that found the lock at its engine free", "unlocked",
     [](Seen& seen) { seen.log = with(good, "plain unkept 5", "plain end 5"); }},
    {"the same without its keeper", "",
     [](Seen& seen) {
         seen.log = with(good, "plain unkept 5", "plain end 5");
         seen.keeper_killed = seen.copy_killed = true;
     }},
    {"a mark at the engine after a run that was over", "file", [](Seen& seen) { seen.left_mark = true; }},
    {"a mark at the engine after a run that has not begun", "file",
     [](Seen& seen) {
         seen.log.clear();
         seen.supervisor_killed = true;
         seen.left_mark = true;
     }},
    {"the same after its guardian was killed as well", "file",
     [](Seen& seen) {
         seen.log.clear();
         seen.supervisor_killed = seen.copy_killed = true;
         seen.left_mark = true;
     }},
    {"the same after the run had begun", "file",
     [](Seen& seen) { seen.supervisor_killed = seen.copy_killed = seen.left_mark = true; }},
    {"an older mark at the engine after a run that has not begun", "",
     [](Seen& seen) {
         seen.log.clear();
         seen.supervisor_killed = seen.had_mark = seen.left_mark = true;
     }},
    {"one that is gone though nobody has cleaned up for it", "lost",
     [](Seen& seen) {
         seen.had_mark = true;
         seen.err = "finally-run: lock: crash:E: its last holder has not cleaned up: somebody\n";
     }},
    {"a lost lock", "",
     [](Seen& seen) {
         seen.keeper_killed = seen.copy_killed = true;
         seen.status = exited(121);
         seen.err = "finally-run: lock lost: crash:E: its keeper is gone\n";
     }},
    {"a file left", "file", [](Seen& seen) { seen.left_file = true; }},
    {"another status than the command's", "status", [](Seen& seen) { seen.status = exited(1); }},
    {"success of a command that was stopped", "status",
     [](Seen& seen) {
         seen.log = without(good, "command end 2");
         seen.signal = SIGTERM;
     }},
    {"a recovery that fails", "status", [](Seen& seen) { seen.finisher_status = exited(1); }},
    {"a message when all went well", "silent", [](Seen& seen) { seen.err = "finally-run: what\n"; }},
    {"that it waits, which may be said on a busy machine", "",
     [](Seen& seen) {
         seen.err = "finally-run: waiting 1s for lock: crash:E: its engine has not said who holds it\n";
     }},
    {"a failure before anything has begun", "",
     [](Seen& seen) {
         seen.failed = true;
         seen.log.clear();
         seen.first_program.clear();
         seen.status = exited(125);
         seen.err = "finally-run: open: journal: no space\n";
     }},
    {"the same without a word", "silent",
     [](Seen& seen) {
         seen.failed = true;
         seen.log.clear();
         seen.first_program.clear();
         seen.status = exited(125);
     }},
    {"the same with success", "status",
     [](Seen& seen) {
         seen.failed = true;
         seen.log.clear();
         seen.first_program.clear();
         seen.err = "finally-run: open: journal: no space\n";
     }},
    {"success after a failure that kept the command from its end", "status silent",
     [](Seen& seen) {
         seen.failed = true;
         seen.log = without(good, "command end 2");
     }},
    {"a run that does not end", "hang", [](Seen& seen) { seen.hung = true; }},
    {"a failed cleanup that stays and is told", "", stay, failing},
    {"one that does not stay", "lost silent", [](Seen&) {}, failing},
    {"one that stays where none has failed", "file", [](Seen& seen) { seen.failure_kept = true; }},
    {"one that is told of as ended", "file",
     [](Seen& seen) {
         stay(seen);
         seen.supervisor_killed = true;
         seen.end_told = true;
     },
     failing},
    {"one that is tried again by a recovery, which says so", "", try_again, failing},
    {"the same with success", "status",
     [](Seen& seen) {
         try_again(seen);
         seen.finisher_status = exited(0);
     },
     failing},
    {"a cleanup that outlived its maker and ran again", "again",
     [](Seen& seen) {
         seen.supervisor_killed = true;
         seen.log = with(with(good, "shell begin 3", "shell begin 4"), "shell outlived 3", "shell begin 4");
     }},
    {"the same after the death of the guardian", "",
     [](Seen& seen) {
         seen.supervisor_killed = seen.copy_killed = true;
         seen.log = with(with(good, "shell begin 3", "shell begin 4"), "shell outlived 3", "shell begin 4");
     }},
};

} // namespace

int check_rules() {
    int wrong = 0;
    for (const Rule& rule : rules) {
        Seen seen;
        seen.log = good;
        seen.status = exited(0);
        seen.first_program = "crash_helper setup dir 1 ";
        rule.change(seen);
        const Verdict verdict = judge(seen, rule.promised);
        const std::string faults = verdict.excused ? names_of(verdict.faults) + "excused" : names_of(verdict.faults);
        if (faults != rule.faults) {
            ++wrong;
            std::printf("%.*s: '%s' instead of '%.*s'\n", static_cast<int>(rule.name.size()), rule.name.data(),
                        faults.c_str(), static_cast<int>(rule.faults.size()), rule.faults.data());
        }
    }
    std::printf("%zu rules, %d wrong\n", rules.size(), wrong);
    return wrong;
}

} // namespace finally_run::crash
