// Follows the processes of a run with ptrace(2) and tells of their system calls, until they run another program.
#pragma once

#include "marks.hpp"

#include <sys/types.h>

#include <array>
#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace finally_run::crash {

// Who makes a system call. The finisher is what is started after both others have died.
enum class Role { supervisor, guardian, finisher };

// A traced process before or after a system call; it stands still until Tracer::proceed. What happens in a child
// between clone(2) and execve(2) belongs to whoever made it.
struct Point {
    Role role;
    pid_t pid;
    bool entry;
    long call;
    bool in_child;
    bool polls; // a wait that was told not to wait
};

// `stranger`: a process that became our child since its parent died before it, or without waiting for it.
struct Gone {
    pid_t pid;
    int status; // as waitpid(2) has it
    bool stranger;
};

struct Told {
    Moment moment;
};

struct NobodyLeft {};
struct TimedOut {};

using Event = std::variant<Point, Gone, Told, NobodyLeft, TimedOut>;
using Deadline = std::chrono::steady_clock::time_point;

// What a trial starts: words, environment, directory and where stderr goes.
struct Launch {
    std::vector<std::string> argv;
    std::vector<std::string> environment;
    std::string directory;
    std::string stderr_file;
};

// The process must be a subreaper, have no other children, and block SIGCHLD and SIGRTMIN.
class Tracer {
public:
    pid_t start(Role role, const Launch& launch);
    void count(Role role, bool counted) { m_counted.at(static_cast<std::size_t>(role)) = counted; }
    [[nodiscard]] Event next(Deadline deadline);
    void proceed(const Point& point);

    // SIGKILL to each process of this role, and waits until it is gone. False if there is none.
    bool kill(Role role);
    [[nodiscard]] bool alive(Role role) const;

    // Steps that were being made, or ran, when their maker was killed.
    [[nodiscard]] const std::vector<pid_t>& orphans() const { return m_orphans; }

    // The command line of the first step that came to run; empty if none did.
    [[nodiscard]] const std::string& first_program() const { return m_first_program; }

    // Also those that are no longer traced.
    void kill_everybody();

private:
    struct Tracee {
        pid_t pid;
        Role role;
        bool spawning = false; // between clone(2) and execve(2)
        long call = -1;        // the last that it entered
        bool polls = false;
    };
    using Change = std::pair<pid_t, int>;
    struct Made {
        pid_t step;
        pid_t maker;
    };
    struct Killed {
        std::string name; // its children begin with the same
        Role role;
    };

    [[nodiscard]] Tracee* find(pid_t pid);
    [[nodiscard]] Gone bury(const Change& change);
    // Nothing: the process runs on.
    [[nodiscard]] std::optional<Point> look_at(const Change& change);
    [[nodiscard]] std::optional<Point> at_system_call(Tracee& tracee);
    void adopt(const Tracee& parent, int event);
    [[nodiscard]] bool is_orphan(pid_t pid) const;
    void take_in(pid_t pid);
    void resume(const Tracee& tracee, int signal = 0);

    std::vector<Tracee> m_tracees;
    std::deque<Change> m_pending; // seen while waiting for something else
    std::vector<Change> m_early;  // stops of children of which their parent has not told yet
    std::vector<Made> m_made;
    std::vector<Killed> m_killed;
    std::vector<pid_t> m_orphans;
    std::array<bool, 3> m_counted{};
    std::string m_first_program;
};

} // namespace finally_run::crash
