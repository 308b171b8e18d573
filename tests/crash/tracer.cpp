// The tracer's stops: who made whom, and which of them are points.
#include "tracer.hpp"

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace finally_run::crash {

namespace {

constexpr int syscall_stop = SIGTRAP | 0x80;

constexpr long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
                         PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;

} // namespace

pid_t Tracer::start(Role role, const Launch& launch) {
    const auto [pid, status] = start_seized(launch, options);
    m_tracees.push_back({.pid = pid, .role = role, .call = SYS_execve});
    m_pending.emplace_back(pid, status);
    return pid;
}

Tracer::Tracee* Tracer::find(pid_t pid) {
    const auto found =
        std::find_if(m_tracees.begin(), m_tracees.end(), [&](const Tracee& tracee) { return tracee.pid == pid; });
    return found == m_tracees.end() ? nullptr : &*found;
}

bool Tracer::alive(Role role) const {
    return std::any_of(m_tracees.begin(), m_tracees.end(),
                       [&](const Tracee& tracee) { return tracee.role == role && !tracee.spawning; });
}

bool Tracer::anybody_alive() const {
    return std::any_of(m_tracees.begin(), m_tracees.end(), [](const Tracee& tracee) { return !tracee.spawning; });
}

std::optional<Role> Tracer::copy_of(Role maker, bool forked) const {
    std::optional<Role> copy;
    for (const Copy& candidate : m_copies) {
        if (candidate.maker == maker && candidate.forked == forked && !(copy && !alive(*copy))) {
            copy = candidate.copy;
        }
    }
    return copy;
}

void Tracer::resume(const Tracee& tracee, int signal) {
    const bool stops = m_counted == tracee.role && (!m_filtered || tracee.to_exit);
    ::ptrace(stops ? PTRACE_SYSCALL : PTRACE_CONT, tracee.pid, 0, signal); // ESRCH: it has been killed meanwhile
}

void Tracer::proceed(const Point& point) {
    const Tracee* const tracee = find(point.pid);
    if (tracee == nullptr) {
        return;
    }
    if (tracee->spawning && point.call == SYS_execve && !point.entry) {
        ::ptrace(PTRACE_DETACH, point.pid, 0, 0);
        std::erase_if(m_tracees, [&](const Tracee& other) { return other.pid == point.pid; });
        return;
    }
    resume(*tracee);
}

Event Tracer::next(Deadline deadline) {
    for (;;) {
        Change change{};
        if (!m_pending.empty()) {
            change = m_pending.front();
            m_pending.pop_front();
        } else {
            change.first = ::waitpid(-1, &change.second, __WALL | WNOHANG);
        }
        if (change.first < 0) {
            return NobodyLeft{};
        }
        if (change.first == 0) {
            const auto woken = wait_for_signal(deadline);
            if (!woken) {
                return TimedOut{};
            }
            if (woken->mark != 0) {
                return Told{woken->mark};
            }
            continue;
        }
        if (!WIFSTOPPED(change.second)) {
            return bury(change);
        }
        if (const auto point = look_at(change)) {
            return *point;
        }
    }
}

Gone Tracer::bury(const Change& change) {
    const Gone gone{change.first, change.second, find(change.first) == nullptr};
    std::erase_if(m_tracees, [&](const Tracee& tracee) { return tracee.pid == change.first; });
    // What it had not told yet, nobody tells any more: its children are looked at once more.
    std::erase_if(m_pending, [&](const Change& other) { return other.first == change.first; });
    m_pending.insert(m_pending.end(), m_early.begin(), m_early.end());
    m_early.clear();
    return gone;
}

std::optional<Point> Tracer::look_at(const Change& change) {
    const auto [pid, status] = change;
    if (find(pid) == nullptr) {
        if (!is_orphan(pid)) {
            m_early.push_back(change);
            return std::nullopt;
        }
        take_in(pid);
    }
    Tracee* const tracee = find(pid);
    const int signal = WSTOPSIG(status);
    const int event = status >> 16;
    if (signal == syscall_stop || event == PTRACE_EVENT_SECCOMP) {
        return at_system_call(*tracee);
    }
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
        const Tracee parent = *tracee;
        adopt(parent, event);
        resume(parent);
        return std::nullopt;
    }
    if (event == PTRACE_EVENT_EXEC && (tracee->spawning || m_filtered)) {
        if (tracee->spawning && m_first_program.empty()) {
            m_first_program = command_line(pid);
        }
        const Point point{tracee->role, pid, false, SYS_execve, tracee->spawning, false, Reach::others};
        if (m_counted == tracee->role) {
            return point;
        }
        proceed(point);
        return std::nullopt;
    }
    if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
        ::ptrace(PTRACE_LISTEN, pid, 0, 0); // stopped by a stop signal, and stays so
        return std::nullopt;
    }
    resume(*tracee, event == 0 ? signal : 0);
    return std::nullopt;
}

std::optional<Point> Tracer::at_system_call(Tracee& tracee) {
    __ptrace_syscall_info info = {};
    if (m_counted != tracee.role || ::ptrace(PTRACE_GET_SYSCALL_INFO, tracee.pid, sizeof info, &info) <= 0) {
        resume(tracee);
        return std::nullopt;
    }
    const bool entry = info.op != PTRACE_SYSCALL_INFO_EXIT; // the filter's stops are told like entries
    tracee.to_exit = entry;
    if (entry) {
        tracee.call = static_cast<long>(info.entry.nr);
        const auto& arguments = info.entry.args;
        tracee.polls = (tracee.call == SYS_waitid && (arguments[3] & WNOHANG) != 0) ||
                       (tracee.call == SYS_wait4 && (arguments[2] & WNOHANG) != 0);
        tracee.reach = reach_of(tracee.call, arguments);
    }
    return Point{tracee.role, tracee.pid, entry, tracee.call, tracee.spawning, tracee.polls, tracee.reach};
}

// A process that shares its maker's place until it runs a program is a step; so is a copy that is nobody of the run,
// like one that removes files. The rest are threads.
void Tracer::adopt(const Tracee& parent, int event) {
    unsigned long message = 0;
    if (::ptrace(PTRACE_GETEVENTMSG, parent.pid, 0, &message) < 0) {
        return; // it has been killed meanwhile
    }
    const auto pid = static_cast<pid_t>(message);
    Tracee child{.pid = pid, .role = parent.role};
    const auto copy = copy_of(parent.role, event == PTRACE_EVENT_FORK);
    if (event == PTRACE_EVENT_VFORK || (event == PTRACE_EVENT_FORK && !copy)) {
        child.spawning = true;
    } else if (copy && !is_thread_of(pid, parent.pid)) {
        child.role = *copy;
    }
    m_tracees.push_back(child);
    if (child.spawning) {
        m_made.push_back({pid, parent.pid});
    }
    const auto early = std::find_if(m_early.begin(), m_early.end(), [&](const Change& it) { return it.first == pid; });
    if (early != m_early.end()) {
        m_pending.push_back(*early);
        m_early.erase(early);
    }
}

// Its maker was killed before it could tell of it. Whoever has adopted it since has another name than it was born with.
bool Tracer::is_orphan(pid_t pid) const {
    const auto known = [&](pid_t other) {
        return std::any_of(m_tracees.begin(), m_tracees.end(),
                           [&](const Tracee& tracee) { return tracee.pid == other; });
    };
    const Family family = family_of(pid);
    const bool may_be_made_by_parent = known(family.parent) && name_of_process(family.parent) == name_of_process(pid);
    return !may_be_made_by_parent && !known(family.process);
}

void Tracer::take_in(pid_t pid) {
    Tracee child{.pid = pid, .role = Role::supervisor, .spawning = true};
    const std::string name = name_of_process(pid);
    const auto maker =
        std::find_if(m_killed.rbegin(), m_killed.rend(), [&](const Killed& killed) { return killed.name == name; });
    if (maker != m_killed.rend()) {
        child.role = maker->role;
    }
    const auto copy = copy_of(child.role, false);
    if (copy && !was_made_to_run_a_program(pid)) {
        child.role = *copy;
        child.spawning = false;
    }
    m_tracees.push_back(child);
    if (child.spawning) {
        m_orphans.push_back(pid);
    }
}

bool Tracer::signal(Role role, int number) const {
    return std::any_of(m_tracees.begin(), m_tracees.end(), [&](const Tracee& tracee) {
        return tracee.role == role && !tracee.spawning && ::kill(tracee.pid, number) == 0;
    });
}

bool Tracer::kill(Role role) {
    std::vector<pid_t> victims;
    for (const Tracee& tracee : m_tracees) {
        if (tracee.role == role && !tracee.spawning) {
            for (const Made& made : m_made) {
                if (made.maker == tracee.pid && is_running(made.step)) {
                    m_orphans.push_back(made.step);
                }
            }
            m_killed.push_back({name_of_process(tracee.pid), role});
            ::kill(tracee.pid, SIGKILL);
            victims.push_back(tracee.pid);
        }
    }
    const bool any = !victims.empty();
    while (!victims.empty()) {
        Change change{};
        change.first = ::waitpid(-1, &change.second, __WALL);
        if (change.first < 0 && errno != EINTR) {
            break;
        }
        const bool victim = std::erase(victims, change.first) > 0;
        if (WIFSTOPPED(change.second) && victim) {
            victims.push_back(change.first); // a stop from before
        } else if (victim) {
            static_cast<void>(bury(change));
        } else {
            m_pending.push_back(change);
        }
    }
    return any;
}

void Tracer::kill_everybody() {
    kill_descendants();
    m_tracees.clear();
    m_pending.clear();
    m_early.clear();
}

} // namespace finally_run::crash
