// What a campaign is made of, as plain values: the run that is broken, what it has promised, and what is done to whom.
#pragma once

#include <string>
#include <vector>

namespace finally_run::crash {

// Who makes a system call: what is started first, its copy, and what is started when nobody is left.
enum class Role { supervisor, guardian, keeper, sentinel, passer_by, finisher };

// Whether it is started, and is nobody's copy.
constexpr bool is_started(Role role) {
    return role == Role::supervisor || role == Role::passer_by || role == Role::finisher;
}

// What `maker` makes with fork(2) is the first of its copies in this list that does not live, else the last. What is
// made otherwise, or by anybody else, is a step or a thread.
struct Copy {
    Role maker;
    Role copy;
    bool forked = false; // by fork(2); else by a clone(2) whose end tells the maker nothing
};

struct Cleanup {
    std::string name;                   // that its helper was given
    std::vector<std::string> due_after; // once one of these steps has begun
    bool fails = false;                 // each time, so that it stays registered and may be tried again
};

// What is owed to whoever started the run. Beside it stand the rules that hold for all runs: see verdict.cpp.
struct Promise {
    std::vector<Cleanup> cleanups;    // in the order in which they run
    std::vector<std::string> removed; // files that are gone in the end
};

// In them {finally-run}, {helper}, {dir} (of the trial) and {harness} (a pid) are replaced.
using Words = std::vector<std::string>;

struct Scenario {
    Words run{};
    Words recover{};     // finishes it when nobody is left
    Words next_holder{}; // ... as somebody who wants the lock
    Words passer_by{};   // started before that, if anything: a run without the lock, which tells of it
    std::vector<Copy> copies{};
    Promise promise{};
    bool unclean = false; // the last holder of its lock at an engine has not cleaned up, for which "anywhere" is there
    Words environment{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME={dir}", "TMPDIR={dir}/tmp", "LANG=C.UTF-8"};
};

enum class Finisher { none, recover, next_holder };

// Nothing at all, or one of the three.
struct Blow {
    std::vector<Role> killed{}; // with SIGKILL, in this order
    int signal = 0;             // to this one
    Role signalled = Role::supervisor;
    bool fails_call = false; // the system call that the actor is about to make
};

// All trials of a row differ in the point alone.
struct Row {
    std::string name;
    Role actor = Role::supervisor; // whose points are counted
    Blow blow{};                   // at the point
    Finisher finisher = Finisher::none;
    std::string opening{}; // once this step has begun first_blow falls, and the actor's points count from there on
    Blow first_blow{};
    bool hold_child = false; // only points between clone(2) and execve(2), where the child stays for a while
};

struct Campaign {
    std::string name;
    Scenario scenario;
    std::vector<Row> rows;
    bool finds_fault = false; // with what keeps no promise: these tests can fail
};

} // namespace finally_run::crash
