// Kills at random, and counts whom.
#pragma once

#include "contenders.hpp"
#include "processes.hpp"

#include <array>
#include <string>
#include <vector>

namespace finally_run::storm {

class Killer {
public:
    Killer(const Place& place, Contenders& contenders) : m_place(place), m_contenders(contenders) {}

    // Kills somebody, if there is one of the kind that the dice choose.
    void strike();

    [[nodiscard]] std::string summary() const;
    [[nodiscard]] unsigned kills() const;
    // Each of them may cut off one cleanup, which then has to run again.
    [[nodiscard]] unsigned cut_off() const;

private:
    enum Kind { supervisor, guardian, both, everything, step, waiter, in_some_order, at_once, stopped, kinds };

    void look();
    [[nodiscard]] bool strike(Kind kind);
    [[nodiscard]] bool kill_contender(const std::vector<pid_t>& among);
    [[nodiscard]] bool kill_both();
    [[nodiscard]] bool kill_everything();
    [[nodiscard]] bool kill_step();
    [[nodiscard]] bool kill_in_some_order();
    [[nodiscard]] bool kill_at_once();
    [[nodiscard]] bool stop_some();
    [[nodiscard]] bool is_guardian(const Process& process) const;
    [[nodiscard]] std::vector<Process> children_of(pid_t pid) const;
    [[nodiscard]] std::vector<Target> steps_of(pid_t pid) const;
    void kill_guardians_without_supervisor();
    void kill_supervisor(pid_t pid);

    const Place& m_place;
    Contenders& m_contenders;
    std::vector<Process> m_processes;
    std::vector<pid_t> m_active;  // contenders that have children
    std::vector<pid_t> m_waiting; // ... that have none
    std::array<unsigned, kinds> m_kills{};
};

} // namespace finally_run::storm
