#include "killer.hpp"

#include <csignal>
#include <numeric>
#include <utility>

namespace finally_run::storm {

namespace {

template <class Value> const Value& any_of(const std::vector<Value>& values) {
    return values[random_below(static_cast<unsigned>(values.size()))];
}

// Also one that is nobody's child.
std::vector<Target> guardians_of(pid_t supervisor) {
    std::vector<Target> found;
    for (const pid_t pid : test::guardians_of(supervisor)) {
        if (const auto process = test::proc_stat(pid)) {
            found.emplace_back(*process);
        }
    }
    return found;
}

bool is_step(const Process& process) {
    return process.name == "storm-command" || process.name == "storm-worker" || process.name == "storm-setup";
}

} // namespace

// What a guardian or a supervisor is about to start has its name, too, but another parent.
bool Killer::is_guardian(const Process& process) const {
    const bool orphan = process.parent == m_place.harness && !m_contenders.living().contains(process.pid);
    // It gets its name a moment after it was made.
    return (process.name == "finally-guard" && (orphan || m_contenders.living().contains(process.parent))) ||
           (process.name == "finally-run" && orphan);
}

std::vector<Process> Killer::children_of(pid_t pid) const {
    std::vector<Process> found;
    for (const Process& process : m_processes) {
        if (process.parent == pid) {
            found.push_back(process);
        }
    }
    return found;
}

void Killer::look() {
    m_processes = living_processes();
    m_active.clear();
    m_waiting.clear();
    for (const auto& [pid, contender] : m_contenders.living()) {
        if (contender.killed) {
            continue;
        }
        if (!children_of(pid).empty()) {
            m_active.push_back(pid);
        } else if (contender.run) {
            m_waiting.push_back(pid);
        }
    }
}

// Our own child, not reaped yet: its pid is its own.
void Killer::kill_supervisor(pid_t pid) {
    m_contenders.living().at(pid).killed = true;
    ::kill(pid, SIGKILL);
}

bool Killer::kill_contender(const std::vector<pid_t>& among) {
    if (among.empty()) {
        return false;
    }
    kill_supervisor(any_of(among));
    return true;
}

bool Killer::kill_both() {
    if (m_active.empty()) {
        return false;
    }
    const pid_t pid = any_of(m_active);
    const std::vector<Target> guardians = guardians_of(pid);
    const bool guardian_first = random_below(2) == 0;
    if (!guardian_first) {
        kill_supervisor(pid);
    }
    for (const Target& target : guardians) {
        target.kill();
    }
    if (guardian_first) {
        kill_supervisor(pid);
    }
    return true;
}

void Killer::kill_guardians_without_supervisor() {
    for (bool again = true; std::exchange(again, false);) {
        for (const Process& process : living_processes()) {
            if (is_guardian(process) && process.parent == m_place.harness) {
                Target(process).kill_and_wait();
                again = true;
            }
        }
    }
}

// As the end of a container does. The steps die last: who of the others sees that has to think that they failed.
bool Killer::kill_everything() {
    if (m_active.empty()) {
        return false;
    }
    const pid_t pid = any_of(m_active);
    const auto self = test::proc_stat(pid);
    if (!self) {
        return false;
    }
    const Target supervisor_itself(*self);
    std::vector<Target> steps;
    for (const Process& process : children_of(pid)) {
        if (is_guardian(process)) {
            continue;
        }
        steps.emplace_back(process);
        for (const Process& below : children_of(process.pid)) {
            steps.emplace_back(below);
        }
    }
    kill_supervisor(pid);
    supervisor_itself.wait();
    kill_guardians_without_supervisor();
    for (const Target& target : steps) {
        target.kill();
    }
    return true;
}

bool Killer::kill_step() {
    std::vector<Process> steps;
    for (const Process& process : m_processes) {
        if (is_step(process)) {
            steps.push_back(process);
        }
    }
    if (steps.empty()) {
        return false;
    }
    const Process& process = any_of(steps);
    const auto parent = m_contenders.living().find(process.parent);
    if (parent != m_contenders.living().end()) {
        parent->second.step_killed = true;
    }
    return Target(process).kill();
}

std::vector<Target> Killer::steps_of(pid_t pid) const {
    std::vector<Target> found;
    for (const Process& process : children_of(pid)) {
        if (!is_step(process)) {
            continue;
        }
        found.emplace_back(process);
        for (const Process& below : children_of(process.pid)) {
            if (is_step(below)) {
                found.emplace_back(below);
            }
        }
    }
    return found;
}

// Supervisor, guardian, command and what the command has started, one after the other.
bool Killer::kill_in_some_order() {
    if (m_active.empty()) {
        return false;
    }
    const pid_t pid = any_of(m_active);
    std::vector<Target> targets = guardians_of(pid);
    for (Target& target : steps_of(pid)) {
        targets.push_back(std::move(target));
    }
    Contender& contender = m_contenders.living().at(pid);
    contender.killed = true;
    contender.step_killed = true;
    std::vector<std::size_t> order(targets.size() + 1);
    std::iota(order.begin(), order.end(), std::size_t(0));
    for (std::size_t left = order.size(); left > 1; --left) {
        std::swap(order[left - 1], order[random_below(static_cast<unsigned>(left))]);
    }
    for (const std::size_t next : order) {
        next < targets.size() ? static_cast<void>(targets[next].kill()) : kill_supervisor(pid);
        if (random_below(2) == 0) {
            pause(random_below(4)); // who is left may see it
        }
    }
    return true;
}

// As cgroup.kill does: nobody sees anybody die.
bool Killer::kill_at_once() {
    if (m_active.empty()) {
        return false;
    }
    const pid_t pid = any_of(m_active);
    std::vector<Target> targets = guardians_of(pid);
    ::kill(pid, SIGSTOP);
    for (const Target& target : targets) {
        target.send(SIGSTOP);
    }
    look(); // nobody of them can start anybody any more
    for (const Process& process : children_of(pid)) {
        for (const Process& below : children_of(process.pid)) {
            targets.emplace_back(below);
        }
        targets.emplace_back(process);
    }
    for (const Target& target : targets) {
        target.send(SIGSTOP);
    }
    kill_supervisor(pid);
    for (const Target& target : targets) {
        target.kill();
    }
    return true;
}

// For a moment, whoever it is: but only of those that have come from us.
bool Killer::stop_some() {
    std::vector<Target> targets;
    for (const pid_t pid : test::descendants(m_place.harness)) {
        if (const auto process = test::proc_stat(pid); process && random_below(4) == 0) {
            targets.emplace_back(*process);
        }
    }
    for (const Target& target : targets) {
        target.send(SIGSTOP);
    }
    pause(random_below(50));
    for (const Target& target : targets) {
        target.send(SIGCONT);
    }
    return !targets.empty();
}

bool Killer::strike(Kind kind) {
    switch (kind) {
    case supervisor:
        return kill_contender(m_active);
    case waiter:
        return kill_contender(m_waiting);
    case both:
        return kill_both();
    case everything:
        return kill_everything();
    case step:
        return kill_step();
    case in_some_order:
        return kill_in_some_order();
    case at_once:
        return kill_at_once();
    case stopped:
        return stop_some();
    default:
        break;
    }
    std::vector<Process> guardians;
    for (const Process& process : m_processes) {
        if (is_guardian(process)) {
            guardians.push_back(process);
        }
    }
    return !guardians.empty() && Target(any_of(guardians)).kill();
}

void Killer::strike() {
    constexpr std::array dice{supervisor,    supervisor,    supervisor,    supervisor, supervisor, guardian, guardian,
                              guardian,      both,          both,          everything, everything, step,     waiter,
                              in_some_order, in_some_order, in_some_order, at_once,    at_once,    stopped,  stopped};
    const Kind kind = dice.at(random_below(dice.size()));
    look();
    m_kills.at(kind) += strike(kind) ? 1 : 0;
}

std::string Killer::summary() const {
    constexpr std::array<const char*, kinds> names{"supervisor",    "guardian", "both",
                                                   "everything",    "step",     "waiter",
                                                   "in some order", "at once",  "stopped for a moment"};
    std::string text;
    for (std::size_t kind = 0; kind < kinds; ++kind) {
        text += (kind == 0 ? "" : ", ") + std::string(names.at(kind)) + " " + std::to_string(m_kills.at(kind));
    }
    return text;
}

unsigned Killer::kills() const { return std::accumulate(m_kills.begin(), m_kills.end(), 0U); }

unsigned Killer::cut_off() const {
    return m_kills.at(supervisor) + m_kills.at(guardian) + 2 * m_kills.at(both) + 2 * m_kills.at(everything) +
           2 * m_kills.at(in_some_order) + 2 * m_kills.at(at_once);
}

} // namespace finally_run::storm
