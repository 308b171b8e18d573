// A run from its journal to its end, with the locks held.
#pragma once

#include "lock/lock.hpp"
#include "plan/exit_status.hpp"
#include "run/guardian.hpp"
#include "run/parts.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace finally_run::run {

class Supervisor {
public:
    // `locks` are borrowed; the journal in `parts` has its first record and no name yet.
    Supervisor(const Parts& parts, const os::MainArgs& main_args, const lock::Held& locks);

    // Starts the guardian, runs the steps, the command and the cleanups, and ends the guardian. Throws
    // std::system_error if nothing has been started.
    plan::ExitStatus run();

private:
    std::vector<int> settle_guardian();
    void finish_as_guardian();
    plan::RunEnd run_steps();
    std::size_t run_cleanups(const plan::RunEnd& end);
    void hand_over(const cleanup::Cleanup& cleanup);

    Parts m_run;
    os::MainArgs m_main_args;
    const lock::Held& m_locks;
    std::string m_run_id;
    bool m_shares_group; // as a command does on a terminal
    Guardian m_guardian;
    os::OwnEnvironment m_guardian_environment;
};

} // namespace finally_run::run
