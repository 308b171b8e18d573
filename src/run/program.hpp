// The left-to-right program: steps, then the command.
#pragma once

#include "cleanup/output.hpp"
#include "os/events.hpp"
#include "plan/plan.hpp"
#include "run/environment.hpp"
#include "run/finish.hpp"
#include "run/journal_stack.hpp"
#include "run/narrator.hpp"
#include "supervise/supervise.hpp"

#include <cstddef>
#include <string>
#include <variant>

namespace finally_run::run {

class Program {
public:
    // All are borrowed. `shares_group`: there is a terminal, and the command is to stay in our process group.
    Program(const plan::Plan& plan, bool shares_group, JournalStack& stack, cleanup::Output& output,
            Environment& environment, os::Events& events, Narrator& narrator);

    // Registers the cleanups and runs the setups in their order, then the command; stops at the first failure and at a
    // request to stop. What was registered by then is on the stack, whatever is returned or thrown.
    [[nodiscard]] ProgramEnd run();

private:
    [[nodiscard]] ProgramEnd run_steps();
    [[nodiscard]] std::optional<ProgramEnd> take(const plan::Step& step);
    [[nodiscard]] std::optional<ProgramEnd> run_setup(const std::string& cmd);
    void make_temp_dir(const std::string& variable);
    [[nodiscard]] ProgramEnd run_command();
    [[nodiscard]] std::variant<supervise::Ended, supervise::NotStarted>
    supervise(journal::Started::What what, os::SpawnRequest request, plan::Limit timeout, plan::Orphans orphans);

    const plan::Plan& m_plan;
    os::Placement m_placement;
    JournalStack& m_stack;
    cleanup::Output& m_output;
    Environment& m_environment;
    os::Events& m_events;
    Narrator& m_narrator;
    bool m_begun = false;
};

} // namespace finally_run::run
