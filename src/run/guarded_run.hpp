// A run from its journal to its end, with the locks held.
#pragma once

#include "cleanup/output.hpp"
#include "journal/runs.hpp"
#include "lock/lock.hpp"
#include "os/events.hpp"
#include "plan/plan.hpp"
#include "run/environment.hpp"
#include "run/finish.hpp"
#include "run/guardian.hpp"
#include "run/journal_stack.hpp"
#include "run/narrator.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace finally_run::run {

class GuardedRun {
public:
    // All are borrowed. Throws std::system_error: then nothing has been started.
    GuardedRun(const plan::Plan& plan, const MainWords& words, const std::string& run_id, const journal::Runs& runs,
               const lock::Held& locks, Environment& environment, os::Events& events, Narrator& narrator);

    // Starts the guardian, runs the steps, the command and the cleanups, and ends the guardian.
    Finish run();

private:
    JournalStack start_journal(const std::string& run_id, const journal::Runs& runs, const MainWords& words) const;
    std::vector<int> settle_guardian();
    void finish_as_guardian();
    std::size_t run_cleanups(const ProgramEnd& end);
    void hand_over(const cleanup::Cleanup& cleanup);
    void keep_log(std::size_t failed);

    const plan::Plan& m_plan;
    const lock::Held& m_locks;
    Environment& m_environment;
    os::Events& m_events;
    Narrator& m_narrator;
    bool m_shares_group;
    cleanup::Output m_output;
    JournalStack m_stack;
    Guardian m_guardian;
    std::vector<std::string> m_guardian_words; // its own environ, in its memory alone
    std::vector<char*> m_guardian_environ;
};

} // namespace finally_run::run
