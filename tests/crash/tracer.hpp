// Follows the processes of a run with ptrace(2) and tells of their system calls, until they run another program.
#pragma once

#include "calls.hpp"
#include "launch.hpp"
#include "processes.hpp"
#include "scenario.hpp"

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace finally_run::crash {

// A traced process before or after a system call; it stands still until Tracer::proceed. What happens in a child
// between clone(2) and execve(2) belongs to whoever made it.
struct Point {
    Role role;
    pid_t pid;
    bool entry;
    long call;
    bool in_child;
    bool polls; // a wait that was told not to wait
    Reach reach;
};

// `stranger`: a process that became our child since its parent died before it, or without waiting for it.
struct Gone {
    pid_t pid;
    int status; // as waitpid(2) has it
    bool stranger;
};

struct Told {
    std::uintptr_t mark; // of the step that has begun
};

struct NobodyLeft {};
struct TimedOut {};

using Event = std::variant<Point, Gone, Told, NobodyLeft, TimedOut>;

// The process must be a subreaper, have no other children, and have called block_signals.
class Tracer {
public:
    explicit Tracer(const std::vector<Copy>& copies) : m_copies(copies) {}

    pid_t start(Role role, const Launch& launch);
    // Only whose calls are counted stops at them: at all, or at those that the filter of its launch lets through.
    void count(std::optional<Role> role, bool filtered = false) {
        m_counted = role;
        m_filtered = filtered;
    }
    [[nodiscard]] Event next(Deadline deadline);
    void proceed(const Point& point);

    // SIGKILL to each process of this role, and waits until it is gone. False if there is none.
    bool kill(Role role);
    // The same with any other signal, without a word on its end.
    [[nodiscard]] bool signal(Role role, int number) const;
    [[nodiscard]] bool alive(Role role) const;
    [[nodiscard]] bool anybody_alive() const;

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
        Reach reach = Reach::others;
        bool to_exit = false; // of that call
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
    [[nodiscard]] std::optional<Role> copy_of(Role maker, bool forked) const;
    [[nodiscard]] Gone bury(const Change& change);
    // Nothing: the process runs on.
    [[nodiscard]] std::optional<Point> look_at(const Change& change);
    [[nodiscard]] std::optional<Point> at_system_call(Tracee& tracee);
    void adopt(const Tracee& parent, int event);
    [[nodiscard]] bool is_orphan(pid_t pid) const;
    void take_in(pid_t pid);
    void resume(const Tracee& tracee, int signal = 0);

    const std::vector<Copy>& m_copies;
    std::vector<Tracee> m_tracees;
    std::deque<Change> m_pending; // seen while waiting for something else
    std::vector<Change> m_early;  // stops of children of which their parent has not told yet
    std::vector<Made> m_made;
    std::vector<Killed> m_killed;
    std::vector<pid_t> m_orphans;
    std::optional<Role> m_counted;
    bool m_filtered = false;
    std::string m_first_program;
};

} // namespace finally_run::crash
