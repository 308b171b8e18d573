// What to do on which event while the command runs: decisions without a process.
#pragma once

#include "os/signals.hpp"
#include "os/wait_status.hpp"
#include "plan/result.hpp"
#include "plan/rewrite.hpp"
#include "supervise/deliveries.hpp"

#include <span>

namespace finally_run::supervise {

enum class StopCause { none, signal, time_limit, caller_gone, lock_lost, service_ended };

// Carried out in this order.
struct Reaction {
    int send = 0;               // to the command; 0: nothing
    bool to_group = false;      // and to the others of our process group
    bool then_continue = false; // SIGCONT follows: a stopped command could not act on the signal
    bool start_grace = false;
    bool kill = false; // SIGKILL to the command and its session-mates
    int stop_self = 0; // then stop ourselves by this signal; 0: no
};

class Policy {
public:
    // `shares_group`: the command is in our process group and gets what the terminal sends without our help.
    // `leads_session`: we are the session leader of that terminal, as after `ssh -t host finally-run ...`.
    // `rewrites` outlives this.
    Policy(bool shares_group, int stop_signal, bool leads_session = false, std::span<const plan::Rewrite> rewrites = {})
        : m_shares_group(shares_group), m_stop_signal(stop_signal), m_leads_session(leads_session),
          m_rewrites(rewrites) {}

    // `in_our_group`: whether the command still is; some programs, like timeout(1), make a group of their own.
    [[nodiscard]] Reaction on_signal(const os::Signal& signal, bool in_our_group, Told told = Told::us);
    [[nodiscard]] Reaction on_time_limit();
    [[nodiscard]] Reaction on_caller_gone();
    [[nodiscard]] Reaction on_service_ended();
    // A lock that machines share. It outweighs what the run has been told before.
    [[nodiscard]] Reaction on_lock_lost();
    [[nodiscard]] Reaction on_grace_over() const;
    // What has ended is only the command: what it left is waited for, and to be stopped. `signal`: if it was one.
    void on_orphans_to_end(StopCause cause, int signal);
    [[nodiscard]] Reaction on_command_stopped(int signal);
    void on_command_continued();
    // We were stopped and run again; the SIGCONT that did it is still to be read.
    void on_self_continued();

    // Whether the run was told to end and the command ended for it. An INT that the command survived, to succeed in the
    // end, has stopped nothing.
    [[nodiscard]] bool was_stopped(const os::WaitStatus& status) const;
    [[nodiscard]] plan::Ending ending(const os::WaitStatus& status) const;

    // The signal that told the run to end, one that the command survived included; 0: none.
    [[nodiscard]] int stop_request() const { return stopping() ? m_cause_signal : m_interrupt; }
    [[nodiscard]] bool stopping() const { return m_cause != StopCause::none; }
    // The signal that the command's process group has been told to stop with, by us or by its sender; 0: none.
    [[nodiscard]] int told() const { return m_told; }
    // What stops whoever is left after the command and was not told yet.
    [[nodiscard]] int leftover_signal() const;

private:
    [[nodiscard]] Reaction stop(StopCause cause, int signal);
    [[nodiscard]] Reaction react_to(const os::Signal& signal, bool in_our_group, Told told);

    bool m_shares_group;
    int m_stop_signal;
    bool m_leads_session;
    std::span<const plan::Rewrite> m_rewrites;
    StopCause m_cause = StopCause::none;
    int m_cause_signal = 0;
    int m_interrupt = 0; // the last INT or QUIT
    int m_told = 0;
    bool m_command_stopped = false;
    bool m_self_continued = false;
    bool m_command_followed = false;  // and the command has: what it does next is newer than that SIGCONT
    bool m_stop_not_followed = false; // the command stopped on the terminal, and we have not
    bool m_stop_with_command = false; // job control told us to stop, and the command has not stopped yet
};

} // namespace finally_run::supervise
