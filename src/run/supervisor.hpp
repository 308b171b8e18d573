// A run from its journal to its end, with the locks held.
#pragma once

#include "cleanup/executor.hpp"
#include "lock/lock.hpp"
#include "plan/exit_status.hpp"
#include "report/service_output.hpp"
#include "run/guardian.hpp"
#include "run/parts.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::run {

class Supervisor {
public:
    // `locks` are borrowed; the journal in `parts` has its first record and no name yet.
    // `holder`: who we are, for whoever asks at an engine.
    Supervisor(const Parts& parts, const os::MainArgs& main_args, const lock::Held& locks, std::string holder = {});

    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;
    ~Supervisor();

    // Starts the guardian, runs the steps, the command and the cleanups, and ends the guardian. Throws
    // std::system_error if nothing has been started.
    plan::ExitStatus run();

private:
    [[nodiscard]] std::vector<int> needed_by_guardian() const;
    void finish_as_guardian();
    [[nodiscard]] std::optional<plan::RunEnd> clean_up_for_last_holder(std::size_t& failed);
    plan::RunEnd run_steps();
    using OnSignal = std::function<void(const cleanup::Cleanup&, const os::Signal&)>;
    [[nodiscard]] cleanup::Means cleanup_means(OnSignal on_signal);
    [[nodiscard]] cleanup::Settings cleanup_settings() const;
    void finish_inner_runs();
    std::size_t run_cleanups(const plan::RunEnd& end);
    [[nodiscard]] std::string_view lock_state() const;
    void tell_clean();
    void give_back();
    void hand_over(const cleanup::Cleanup& cleanup);

    Parts m_run;
    os::MainArgs m_main_args;
    const lock::Held& m_locks;
    std::string m_holder;
    std::string m_run_id;
    bool m_shares_group;                                   // as a command does on a terminal
    std::optional<report::ServiceOutput> m_service_output; // without a service there is none
    Guardian m_guardian;
    os::OwnEnvironment m_guardian_environment;
};

} // namespace finally_run::run
