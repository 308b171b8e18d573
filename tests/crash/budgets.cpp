// Counts what a run costs, from the end of its execve(2) on, and compares that with a budget. A count says on any
// machine what a time says on a quiet one.
#include "budgets.hpp"

#include "launch.hpp"
#include "place.hpp"
#include "processes.hpp"
#include "tracer.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace finally_run::crash {

namespace fs = std::filesystem;

namespace {

struct Cost {
    unsigned calls = std::numeric_limits<unsigned>::max();
    unsigned faults = std::numeric_limits<unsigned>::max();
};

struct Budget {
    const char* name;
    Words options;
    Cost supervisor;   // with its children until they run another program
    Cost guardian;     // until it waits
    unsigned told = 0; // left runs of which somebody was told
};

// Measured on x86-64 with Linux 6.18, and 6 % for chance: where stack and heap begin. The program lies on a file system
// in memory, where how much of it the kernel maps at a fault does not depend on how it came into the page cache.
const std::array budgets{
    Budget{"plain", {}, {147, 50}, {12, 6}},
    Budget{"lock", {"--lock", "L"}, {165, 52}, {12, 6}},
    Budget{"lock, 1000 told", {"--lock", "L"}, {166, 53}, {12, 6}, 1000},
    Budget{"lock, cleanup", {"--lock", "L", "--cleanup", "/bin/rm -f {dir}/victim"}, {200, 54}, {12, 6}},
    Budget{"lock, remove", {"--lock", "L", "--remove", "{dir}/victim"}, {269, 80}, {12, 6}},
    Budget{"service", {"--service", "/bin/sleep 60"}, {349, 68}, {12, 6}},
};

unsigned faults_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text(std::istreambuf_iterator<char>(file), {});
    std::istringstream rest(text.substr(std::min(text.rfind(')') + 2, text.size())));
    constexpr int before = 7; // state to flags: proc(5)
    std::string skipped;
    for (int i = 0; i < before; ++i) {
        rest >> skipped;
    }
    unsigned faults = 0;
    rest >> faults;
    return faults;
}

bool is_a_wait(long call) {
    return call == SYS_read || call == SYS_ppoll
#ifdef SYS_poll
           || call == SYS_poll
#endif
        ;
}

Cost measure(const Budget& budget, Role role, const fs::path& directory) {
    const fs::path trial = directory / "trial";
    fs::remove_all(trial);
    fs::create_directories(trial / "state");
    fs::permissions(trial / "state", fs::perms::owner_all);
    if (budget.told > 0) {
        const fs::path told = trial / "state/.runs/.told";
        fs::create_directories(told);
        fs::permissions(told.parent_path(), fs::perms::owner_all);
        for (unsigned i = 0; i < budget.told; ++i) {
            std::ofstream(told / (std::to_string(i) + ".journal"));
        }
    }
    const std::string fifo = (trial / "fifo").native();
    ::mkfifo(fifo.c_str(), 0600);
    const int gate = ::open(fifo.c_str(), O_RDWR | O_CLOEXEC);

    Words words{"{dir}/../finally-run", "--state-dir", "{dir}/state"};
    words.insert(words.end(), budget.options.begin(), budget.options.end());
    // The guardian is given time until it waits.
    const Words command =
        role == Role::supervisor ? Words{"--", "/bin/true"} : Words{"--", "/bin/sh", "-c", "read x <{dir}/fifo"};
    words.insert(words.end(), command.begin(), command.end());

    const std::vector<Copy> copies{{Role::supervisor, Role::guardian}};
    Tracer tracer(copies);
    tracer.count(role);
    const pid_t first = tracer.start(
        Role::supervisor, launch_of(words, {"PATH=/usr/bin:/bin", "HOME={dir}", "LANG=C.UTF-8", "TERM=dumb"}, trial));
    const Deadline deadline = Deadline::clock::now() + std::chrono::seconds(20);
    Cost cost{0, 0};
    std::map<pid_t, unsigned> faults;
    unsigned before = 0; // of the harness's child that became finally-run
    bool runs = role != Role::supervisor;
    bool waits = false;
    for (bool ended = false; !ended;) {
        const Event event = tracer.next(deadline);
        if (const auto* const point = std::get_if<Point>(&event)) {
            if (!runs && point->call == SYS_execve && !point->entry) {
                runs = true;
                before = faults_of(point->pid);
            } else if (runs && !waits && (point->entry || point->call != SYS_execve)) {
                cost.calls += point->entry ? 1 : 0;
                faults[point->pid] = faults_of(point->pid);
            }
            if (role == Role::guardian && point->entry && is_a_wait(point->call)) {
                waits = true;
                static_cast<void>(::write(gate, "\n", 1));
            }
            tracer.proceed(*point);
        } else if (const auto* const gone = std::get_if<Gone>(&event)) {
            ended = gone->pid == first;
            if (ended && gone->status != 0) {
                throw std::runtime_error(std::string(budget.name) + ": it failed");
            }
        } else if (!std::holds_alternative<Told>(event)) {
            throw std::runtime_error(std::string(budget.name) + ": it hangs");
        }
    }
    ::close(gate);
    while (::waitpid(-1, nullptr, __WALL) > 0) {
    }
    for (const auto& [pid, number] : faults) {
        cost.faults += number;
    }
    cost.faults -= std::min(before, cost.faults);
    return cost;
}

// The least of several: what comes on top of it is chance.
Cost least(const Budget& budget, Role role, const fs::path& directory) {
    constexpr int tries = 7;
    Cost cost;
    for (int i = 0; i < tries; ++i) {
        const Cost one = measure(budget, role, directory);
        cost.calls = std::min(cost.calls, one.calls);
        cost.faults = std::min(cost.faults, one.faults);
    }
    return cost;
}

bool tell(const Budget& budget, const char* who, Cost cost, Cost limit) {
    const bool over = cost.calls > limit.calls || cost.faults > limit.faults;
    std::printf("%-16s %-10s %4u calls of %u, %3u faults of %u%s\n", budget.name, who, cost.calls, limit.calls,
                cost.faults, limit.faults, over ? ": MORE THAN ITS BUDGET" : "");
    return over;
}

void work(const fs::path& directory) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    fs::copy_file(FINALLY_RUN_BINARY, directory / "finally-run"); // into memory
    int over = 0;
    for (const Budget& budget : budgets) {
        over += tell(budget, "supervisor", least(budget, Role::supervisor, directory), budget.supervisor) ? 1 : 0;
        over += tell(budget, "guardian", least(budget, Role::guardian, directory), budget.guardian) ? 1 : 0;
    }
    std::fflush(stdout);
    if (over > 0) {
        throw std::runtime_error("a start costs more than its budget (tests/crash/budgets.cpp)");
    }
}

} // namespace

int check_budgets(const fs::path& directory) {
    if (!can_be_apart(directory)) {
        std::fprintf(stderr, "crash_tests: not counted: a count needs namespaces\n");
        const char* const ci = std::getenv("CI"); // where all is to be had
        return ci != nullptr && std::string_view(ci) == "true" ? 1 : 0;
    }
    const pid_t pid = fork_apart_to(directory, [&] { work(directory); });
    int status = 0;
    return ::waitpid(pid, &status, 0) == pid && status == 0 ? 0 : 1;
}

} // namespace finally_run::crash
