#include "supervise/supervise.hpp"

#include "supervise/aftermath.hpp"
#include "supervise/family.hpp"
#include "supervise/policy.hpp"

#include <cerrno>
#include <csignal>
#include <optional>
#include <unistd.h>

namespace finally_run::supervise {

namespace {

class Supervision {
public:
    Supervision(pid_t command, bool shares_group, const Family& family, const Limits& limits, os::Events& events,
                const std::function<void(Notice)>& notify)
        : m_target(shares_group ? command : -command), m_command(command), m_family(family), m_limits(limits),
          m_events(events), m_notify(notify),
          m_policy(shares_group, limits.stop_signal, ::getsid(0) == ::getpid(), limits.rewrites),
          m_time_limit(os::deadline_after(limits.timeout)) {}

    os::WaitStatus wait_for_end();

    [[nodiscard]] const Policy& policy() const { return m_policy; }
    [[nodiscard]] const os::Deadline& grace_end() const { return m_grace_end; }

private:
    void handle_deadlines();
    // `follow`: what a stop of the command asks of us.
    std::optional<os::WaitStatus> collect(Reaction& follow);
    void carry_out(const Reaction& reaction);
    void send(int signal) const;
    void send_to_rest_of_group(int signal) const;

    pid_t m_target; // for kill(2): the command, or minus its process group. It is not reaped before it has ended.
    pid_t m_command;
    const Family& m_family;
    const Limits& m_limits;
    os::Events& m_events;
    const std::function<void(Notice)>& m_notify;
    Policy m_policy;
    os::Deadline m_time_limit;
    os::Deadline m_grace_end; // once grace has begun; nullopt also if it never ends
    bool m_killed = false;
};

void Supervision::send(int signal) const {
    if (::kill(m_target, signal) < 0 && errno == ESRCH) {
        ::kill(m_command, signal); // it has left the group that it was to lead
    }
}

void Supervision::send_to_rest_of_group(int signal) const {
    const pid_t group = ::getpgrp();
    for (const os::ProcessInfo& process : m_family.members(Scope::own_session)) {
        if (process.group == group && process.pid != m_command) {
            os::send_signal(process, signal);
        }
    }
}

void Supervision::carry_out(const Reaction& reaction) {
    if (reaction.send != 0) {
        send(reaction.send);
    }
    if (reaction.to_group) {
        send_to_rest_of_group(reaction.send);
    }
    if (reaction.then_continue) {
        send(SIGCONT);
    }
    if (reaction.start_grace) {
        m_grace_end = os::deadline_after(m_limits.grace);
    }
    if (reaction.kill) {
        send(SIGKILL);
        kill_members([this] { return m_family.members(Scope::own_session); });
    }
    if (reaction.stop_self != 0 && os::stop_self(reaction.stop_self)) {
        m_policy.on_self_continued();
    }
}

std::optional<os::WaitStatus> Supervision::collect(Reaction& follow) {
    while (const auto change = os::next_change(m_command)) {
        if (change->si_code == CLD_STOPPED) {
            follow = m_policy.on_command_stopped(change->si_status);
        } else if (change->si_code == CLD_CONTINUED) {
            m_policy.on_command_continued();
            follow = {};
        } else {
            return os::WaitStatus::from(*change);
        }
    }
    return std::nullopt;
}

void Supervision::handle_deadlines() {
    if (os::has_passed(m_time_limit)) {
        m_time_limit.reset();
        if (!m_policy.stopping()) {
            m_notify(Notice::time_limit);
        }
        carry_out(m_policy.on_time_limit());
    }
    if (!m_killed && os::has_passed(m_grace_end)) {
        m_killed = true;
        m_notify(Notice::killed);
        carry_out(m_policy.on_grace_over());
    }
}

os::WaitStatus Supervision::wait_for_end() {
    for (;;) {
        const os::Event event = m_events.wait(os::earliest({m_time_limit, m_killed ? std::nullopt : m_grace_end}));
        if (const auto* const signal = std::get_if<os::Signal>(&event)) {
            // A lower number is handed out before SIGCHLD: whether the command is stopped, or over, must be known all
            // the same. Not for the signals of job control: sent on after a stop and a resumption, they would
            // stop the command again.
            const bool job_control = os::default_action(signal->number) == os::DefaultAction::stop;
            const bool in_our_group = m_target > 0 && ::getpgid(m_command) == ::getpgrp();
            Reaction follow;
            const auto status = job_control ? std::nullopt : collect(follow);
            const bool child_changed = signal->number == SIGCHLD && signal->from_kernel;
            const Reaction reaction = child_changed ? Reaction{} : m_policy.on_signal(*signal, in_our_group);
            if (status) {
                // Its pid may be somebody else's already: no signal. But what it leaves behind has its grace.
                if (reaction.start_grace) {
                    m_grace_end = os::deadline_after(m_limits.grace);
                }
                return *status;
            }
            carry_out(reaction);
            // Not after a signal that ends the run: we must be there when its grace period is over.
            if (!m_policy.stopping() && !reaction.then_continue) {
                carry_out(follow);
            }
        } else if (std::holds_alternative<os::CallerGone>(event)) {
            if (!m_policy.stopping()) {
                m_notify(Notice::caller_gone);
            }
            carry_out(m_policy.on_caller_gone());
        }
        handle_deadlines();
    }
}

} // namespace

std::variant<Completion, NotStarted> supervise(const os::SpawnRequest& request, const Limits& limits,
                                               os::Events& events, const std::function<void(Notice)>& notify) {
    const Family family;
    const os::SpawnResult spawned = os::spawn(request);
    if (!spawned.started()) {
        return NotStarted{spawned};
    }
    const bool shares_group = request.placement == os::Placement::shared_group;
    Supervision supervision(spawned.pid, shares_group, family, limits, events, notify);
    const os::WaitStatus status = supervision.wait_for_end();
    const Policy& policy = supervision.policy();

    Scope scope = Scope::everywhere;
    const Aftermath aftermath{
        .members = [&] { return family.members(scope); },
        .events = events,
        .stop_signal = policy.leftover_signal(),
        .told_group = shares_group ? ::getpgrp() : spawned.pid,
        .told_signal = policy.told(),
        .rewrites = limits.rewrites,
    };
    Completion ended{status, policy.ending(status), policy.was_stopped(status), policy.stop_request()};
    if (!ended.stopped && limits.orphans == plan::Orphans::wait) {
        if (const auto stop_signal = aftermath.wait()) {
            ended.stopped = true;
            ended.stop_request = *stop_signal;
            ended.ending.result = plan::Result::stopped;
            ended.ending.signal = *stop_signal;
        }
    }
    const bool all = limits.orphans == plan::Orphans::kill;
    if (ended.stopped || all) {
        const os::Deadline deadline = policy.stopping() ? supervision.grace_end() : os::deadline_after(limits.grace);
        scope = all ? Scope::everywhere : Scope::own_session;
        aftermath.stop(deadline);
    }
    return ended;
}

} // namespace finally_run::supervise
