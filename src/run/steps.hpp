// The left-to-right program: steps, then the command.
#pragma once

#include "cleanup/output.hpp"
#include "cleanup/stack.hpp"
#include "os/environment.hpp"
#include "os/events.hpp"
#include "os/terminal.hpp"
#include "plan/exit_status.hpp"
#include "plan/plan.hpp"
#include "report/narrator.hpp"
#include "supervise/supervise.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <variant>

namespace finally_run::run {

class Steps {
public:
    // All are borrowed. `shares_group`: there is a terminal, and the command is to stay in our process group.
    // `sentinel` may be null.
    Steps(const plan::Plan& plan, bool shares_group, cleanup::Stack& stack, cleanup::Output& output,
          os::Environment& environment, os::Events& events, supervise::Sentinel* sentinel, report::Narrator& narrator);

    // Registers the cleanups and runs the setups in their order, then the command; stops at the first failure and at a
    // request to stop. What was registered by then is on the stack, whatever is returned or thrown.
    [[nodiscard]] plan::RunEnd run();

private:
    [[nodiscard]] plan::RunEnd run_steps();
    [[nodiscard]] std::optional<plan::RunEnd> take(const plan::Step& step);
    [[nodiscard]] std::optional<plan::RunEnd> run_setup(const std::string& cmd);
    void make_temp_dir(const std::string& variable);
    [[nodiscard]] plan::RunEnd run_command();
    [[nodiscard]] std::variant<supervise::Completion, supervise::NotStarted>
    supervise(journal::Started::What what, os::SpawnRequest request, text::Limit timeout, plan::Orphans orphans);

    const plan::Plan& m_plan;
    os::Placement m_placement;
    std::optional<os::TerminalSettings> m_terminal; // nullopt: there is none
    cleanup::Stack& m_stack;
    cleanup::Output& m_output;
    os::Environment& m_environment;
    os::Events& m_events;
    supervise::Sentinel* m_sentinel;
    report::Narrator& m_narrator;
    bool m_begun = false;
};

} // namespace finally_run::run
