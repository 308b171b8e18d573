// The left-to-right program: steps, then the command.
#pragma once

#include "os/terminal.hpp"
#include "plan/exit_status.hpp"
#include "plan/plan.hpp"
#include "run/parts.hpp"
#include "run/services.hpp"
#include "supervise/supervise.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <variant>

namespace finally_run::run {

class Steps {
public:
    // `shares_group`: there is a terminal, and the command is to stay in our process group. `sentinel` is borrowed and
    // may be null; so is `output`, which is null without a service.
    Steps(const Parts& parts, bool shares_group, supervise::Sentinel* sentinel, report::ServiceOutput* output);

    // Registers the cleanups and runs the setups in their order, then the command; stops at the first failure and at a
    // request to stop. What was registered by then is on the stack, whatever is returned or thrown.
    [[nodiscard]] plan::RunEnd run();

private:
    [[nodiscard]] plan::RunEnd run_steps();
    // What keeps the next step from beginning.
    [[nodiscard]] std::optional<plan::RunEnd> stopped();
    [[nodiscard]] std::optional<plan::RunEnd> take(const plan::Step& step);
    [[nodiscard]] std::optional<plan::RunEnd> run_setup(const std::string& cmd);
    [[nodiscard]] Services::Checked run_check(const std::string& cmd, const os::Deadline& deadline);
    void make_temp_dir(const std::string& variable);
    [[nodiscard]] plan::RunEnd run_command();
    [[nodiscard]] std::variant<supervise::Completion, supervise::NotStarted>
    supervise(journal::Started::What what, os::SpawnRequest request, text::Limit timeout, plan::Orphans orphans);

    Parts m_run;
    os::Placement m_placement;
    std::optional<os::TerminalSettings> m_terminal; // nullopt: there is none
    supervise::Sentinel* m_sentinel;
    Services m_services;
    bool m_begun = false;
};

} // namespace finally_run::run
