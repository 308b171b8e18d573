// A run from its journal to its end, with the locks held.
#pragma once

#include "cleanup/output.hpp"
#include "cleanup/stack.hpp"
#include "journal/runs.hpp"
#include "lock/lock.hpp"
#include "os/environment.hpp"
#include "os/events.hpp"
#include "plan/exit_status.hpp"
#include "plan/plan.hpp"
#include "report/narrator.hpp"
#include "run/guardian.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace finally_run::run {

class Supervisor {
public:
    // All are borrowed. Throws std::system_error: then nothing has been started.
    Supervisor(const plan::Plan& plan, const os::MainArgs& main_args, const std::string& run_id,
               const journal::Runs& runs, const lock::Held& locks, os::Environment& environment, os::Events& events,
               report::Narrator& narrator);

    // Starts the guardian, runs the steps, the command and the cleanups, and ends the guardian.
    plan::ExitStatus run();

private:
    cleanup::Stack start_journal(const std::string& run_id, const journal::Runs& runs,
                                 const os::MainArgs& main_args) const;
    std::vector<int> settle_guardian();
    void finish_as_guardian();
    plan::RunEnd run_steps();
    std::size_t run_cleanups(const plan::RunEnd& end);
    void hand_over(const cleanup::Cleanup& cleanup);

    const plan::Plan& m_plan;
    os::MainArgs m_main_args;
    const lock::Held& m_locks;
    os::Environment& m_environment;
    os::Events& m_events;
    report::Narrator& m_narrator;
    bool m_shares_group;
    cleanup::Output m_output;
    cleanup::Stack m_stack;
    Guardian m_guardian;
    std::vector<std::string> m_guardian_variables; // its own environ, in its memory alone
    std::vector<char*> m_guardian_environ;
};

} // namespace finally_run::run
