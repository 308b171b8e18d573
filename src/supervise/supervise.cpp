#include "supervise/supervise.hpp"

#include "os/reminder.hpp"
#include "supervise/aftermath.hpp"
#include "supervise/family.hpp"
#include "supervise/policy.hpp"
#include "supervise/unseen.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <optional>
#include <unistd.h>
#include <utility>

namespace finally_run::supervise {

namespace {

class Supervision {
public:
    Supervision(pid_t command, bool shares_group, const Family& family, Aftermath& aftermath, const Limits& limits,
                os::Events& events, Sentinel* sentinel, const sigset_t& unborn, const Notify& notify)
        : m_target(shares_group ? command : -command), m_command(command), m_family(family), m_aftermath(aftermath),
          m_limits(limits), m_events(events), m_sentinel(sentinel), m_notify(notify),
          m_policy(shares_group, limits.stop_signal, ::getsid(0) == ::getpid(), limits.rewrites), m_unborn(unborn),
          m_time_limit(os::deadline_after(limits.timeout)) {}

    os::WaitStatus wait_for_end();
    // It has ended, and what it left is waited for no more. `signal`: if that was the cause.
    void end_orphans(StopCause cause, int signal);

    [[nodiscard]] const Policy& policy() const { return m_policy; }
    [[nodiscard]] const os::Deadline& time_limit() const { return m_time_limit; }
    [[nodiscard]] const os::Deadline& grace_end() const { return m_grace_end; }

private:
    void handle_deadlines();
    void say_refused();
    void say_interrupted(const os::Signal& signal);
    void remind();
    Told told(const os::Signal& signal);
    [[nodiscard]] bool from_command(pid_t sender) const;
    // `follow`: what a stop of the command asks of us.
    std::optional<os::WaitStatus> collect(Reaction& follow);
    void carry_out(const Reaction& reaction);
    // Carries it out, then says what happened and whether the signal was sent.
    void carry_out(const Reaction& reaction, Notice::What what);
    void send(int signal);
    void send_to_rest_of_group(int signal) const;

    pid_t m_target; // for kill(2): the command, or minus its process group. It is not reaped before it has ended.
    pid_t m_command;
    const Family& m_family;
    Aftermath& m_aftermath;
    const Limits& m_limits;
    os::Events& m_events;
    Sentinel* m_sentinel;
    const Notify& m_notify;
    Policy m_policy;
    sigset_t m_unborn; // these were sent before the command was there to be told
    os::Deadline m_time_limit;
    os::Deadline m_grace_end; // once grace has begun; nullopt also if it never ends
    bool m_killed = false;
    unsigned m_interrupts = 0;               // typed
    int m_refused = 0;                       // errno: the command cannot be signalled
    std::optional<os::Reminder> m_long_wait; // for its end, once it has been told
};

void Supervision::send(int signal) {
    // ESRCH: it has left the group that it was to lead.
    const bool sent = ::kill(m_target, signal) == 0 || (errno == ESRCH && ::kill(m_command, signal) == 0);
    if (!sent) {
        m_refused = errno == ESRCH ? 0 : errno;
    }
}

void Supervision::send_to_rest_of_group(int signal) const {
    const pid_t group = ::getpgrp();
    for (const os::ProcessInfo& process : m_family.members(Scope::own_session, m_command)) {
        if (process.group == group && process.pid != m_command) {
            os::send_signal(process, signal);
        }
    }
}

void Supervision::carry_out(const Reaction& reaction) {
    m_refused = 0;
    // What has been stopped by the next Ctrl+Z already, which we are still to read, is not run again.
    if (reaction.send != 0 && (reaction.send != SIGCONT || !os::is_pending(SIGTSTP))) {
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
        m_long_wait.emplace(os::Clock::now(), first_word_after);
    }
    if (reaction.kill) {
        send(SIGKILL);
        m_aftermath.kill(m_command);
        m_long_wait.emplace();
    }
    if (reaction.stop_self != 0 && os::stop_self(reaction.stop_self)) {
        m_policy.on_self_continued();
    }
}

void Supervision::carry_out(const Reaction& reaction, Notice::What what) {
    carry_out(reaction);
    m_notify({.what = what, .sent = m_refused == 0});
}

void Supervision::say_refused() {
    if (m_refused == 0 || !m_policy.stopping()) {
        return;
    }
    if (const auto command = os::read_process(m_command)) {
        m_aftermath.refused(*command, m_refused);
    }
    if (!m_long_wait) {
        m_long_wait.emplace();
    }
    m_refused = 0;
}

// Once: a REPL is sent many of them, and lives well.
void Supervision::say_interrupted(const os::Signal& signal) {
    if (signal.number != SIGINT || !signal.from_kernel || m_policy.stopping() || ++m_interrupts != 2) {
        return;
    }
    if (const auto command = os::read_process(m_command); command && !command->ended) {
        m_notify({.what = Notice::What::interrupted_again, .process = *command});
    }
}

void Supervision::remind() {
    if (!m_long_wait || !m_long_wait->is_due()) {
        return;
    }
    if (const auto command = os::read_process(m_command)) {
        m_notify({.what = Notice::What::awaited,
                  .process = *command,
                  .so_far = m_long_wait->so_far(),
                  .kill_at = m_killed ? std::nullopt : m_grace_end});
    }
}

// Whether the sender is in the command's own group; where that is ours, whether it is of the command's making.
bool Supervision::from_command(pid_t sender) const {
    const pid_t group = sender > 0 ? ::getpgid(sender) : -1;
    if (group < 0 || group != ::getpgid(m_command)) {
        return false;
    }
    if (group != ::getpgrp()) {
        return true;
    }
    auto process = os::read_process(sender);
    while (process && process->pid != m_command && process->parent > 0 && process->parent != ::getpid()) {
        process = os::read_process(process->parent);
    }
    return process && process->pid == m_command;
}

Told Supervision::told(const os::Signal& signal) {
    const bool unborn = ::sigismember(&m_unborn, signal.number) == 1;
    ::sigdelset(&m_unborn, signal.number);
    // What is typed goes to the group, as the policy knows; of a hang-up the kernel tells the leader or all.
    if (signal.from_kernel && signal.number != SIGHUP) {
        return Told::us;
    }
    // The next Ctrl+Z discards a CONT that the sentinel has not read yet, and one of ours that came late would undo it.
    if (signal.number == SIGCONT && m_target > 0) {
        return Told::us;
    }
    const bool in_reach = m_target < 0 || ::getpgid(m_command) == ::getpgrp();
    if (m_sentinel != nullptr && in_reach && m_sentinel->was_told_too(signal) && !unborn) {
        return Told::everybody;
    }
    return from_command(signal.sender) ? Told::sender : Told::us;
}

std::optional<os::WaitStatus> Supervision::collect(Reaction& follow) {
    while (const auto change = os::next_change(m_command, m_events.other_child())) {
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
            carry_out(m_policy.on_time_limit(), Notice::What::time_limit);
        }
    }
    if (!m_killed && os::has_passed(m_grace_end)) {
        m_killed = true;
        carry_out(m_policy.on_grace_over(), Notice::What::grace_over);
    }
    say_refused();
    remind();
}

os::WaitStatus Supervision::wait_for_end() {
    for (;;) {
        const os::Event event = m_events.wait(os::earliest({m_time_limit, m_killed ? std::nullopt : m_grace_end,
                                                            m_long_wait ? m_long_wait->next() : std::nullopt}),
                                              m_sentinel != nullptr ? m_sentinel->fd() : -1);
        if (const auto* const signal = std::get_if<os::Signal>(&event)) {
            // A lower number is handed out before SIGCHLD: whether the command is stopped, or over, must be known all
            // the same. Not for the signals of job control: sent on after a stop and a resumption, they would
            // stop the command again.
            const bool job_control = os::default_action(signal->number) == os::DefaultAction::stop;
            const bool child_changed = signal->number == SIGCHLD && signal->from_kernel;
            const Told who = child_changed ? Told::us : told(*signal); // takes a moment: first of all
            const bool in_our_group = m_target > 0 && ::getpgid(m_command) == ::getpgrp();
            Reaction follow;
            const auto status = job_control ? std::nullopt : collect(follow);
            const Reaction reaction = child_changed ? Reaction{} : m_policy.on_signal(*signal, in_our_group, who);
            if (status) {
                // Its pid may be somebody else's already: no signal. But what it leaves behind has its grace.
                if (reaction.start_grace) {
                    m_grace_end = os::deadline_after(m_limits.grace);
                }
                return *status;
            }
            carry_out(reaction);
            say_interrupted(*signal);
            // Not after a signal that ends the run: we must be there when its grace period is over.
            if (!m_policy.stopping() && !reaction.then_continue) {
                carry_out(follow);
            }
        } else if (std::holds_alternative<os::CallerGone>(event)) {
            if (!m_policy.stopping()) {
                carry_out(m_policy.on_caller_gone(), Notice::What::caller_gone);
            }
        } else if (std::holds_alternative<os::ServiceEnded>(event)) {
            if (!m_policy.stopping()) {
                carry_out(m_policy.on_service_ended(), Notice::What::service_ended);
            }
        } else if (std::holds_alternative<os::LockLost>(event)) {
            carry_out(m_policy.on_lock_lost(), Notice::What::lock_lost);
        } else if (std::holds_alternative<os::Readable>(event)) {
            m_sentinel->listen();
        }
        handle_deadlines();
    }
}

// nullopt: whoever has sent the signal knows of it.
std::optional<Notice::What> notice_of(StopCause cause) {
    switch (cause) {
    case StopCause::none:
    case StopCause::signal:
        break;
    case StopCause::time_limit:
        return Notice::What::time_limit;
    case StopCause::caller_gone:
        return Notice::What::caller_gone;
    case StopCause::lock_lost:
        return Notice::What::lock_lost;
    case StopCause::service_ended:
        return Notice::What::service_ended;
    }
    return std::nullopt;
}

void Supervision::end_orphans(StopCause cause, int signal) {
    m_policy.on_orphans_to_end(cause, signal);
    m_grace_end = os::deadline_after(m_limits.grace);
    if (const auto what = notice_of(cause)) {
        m_notify({.what = *what});
    }
}

// `unborn` is what we were sent before there was a child that could have been told as well.
os::SpawnResult spawn_told_apart(os::SpawnRequest request, sigset_t& unborn) {
    // Where the child cannot look: what comes between here and clone(2) is taken for what it has got.
    ::sigpending(&unborn);
    const os::Fd our_status(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
    request.in_child = [&, then = std::move(request.in_child)] {
        if (const auto alone = os::pending_in_parent_alone(our_status.get())) {
            unborn = *alone;
        }
        return then ? then() : 0;
    };
    return os::spawn(request);
}

} // namespace

std::variant<Completion, NotStarted> supervise(const os::SpawnRequest& request, const Limits& limits,
                                               os::Events& events, Sentinel* sentinel, const Notify& notify) {
    const Family family;
    sigset_t unborn;
    ::sigemptyset(&unborn);
    const os::SpawnResult spawned = sentinel != nullptr ? spawn_told_apart(request, unborn) : os::spawn(request);
    if (!spawned.started()) {
        return NotStarted{spawned};
    }
    const bool shares_group = request.placement == os::Placement::shared_group;
    Scope scope = Scope::own_session;
    auto asked = std::pair(StopCause::time_limit, 0);
    bool may_give_up = true;
    const Others& others = limits.others;
    // A guardian that is not at work ends with its supervisor, which is one of the family.
    Aftermath aftermath(events, {.members = [&] { return family.members(scope, spawned.pid, others.is_spared); },
                                 .awaited = others.guardians_at_work,
                                 .notify = notify,
                                 .rewrites = limits.rewrites,
                                 .on_request =
                                     [&](StopCause cause, int signal) {
                                         asked = {cause, signal};
                                         return may_give_up;
                                     }});
    Supervision supervision(spawned.pid, shares_group, family, aftermath, limits, events, sentinel, unborn, notify);
    const os::WaitStatus status = supervision.wait_for_end();
    const Policy& policy = supervision.policy();

    const auto completion = [&] {
        return Completion{status, policy.ending(status), policy.was_stopped(status), policy.stop_request()};
    };
    Completion ended = completion();
    const bool all = limits.orphans == plan::Orphans::kill;
    if (!ended.stopped && limits.orphans == plan::Orphans::wait) {
        scope = Scope::everywhere;
        if (aftermath.wait(supervision.time_limit()) != Aftermath::Waited::gone) {
            supervision.end_orphans(asked.first, asked.second);
            ended = completion();
        }
    }
    if (ended.stopped || all) {
        scope = all ? Scope::everywhere : Scope::own_session;
        may_give_up = false;
        const Aftermath::Order order{.signal = policy.leftover_signal(),
                                     .told_group = shares_group ? ::getpgrp() : spawned.pid,
                                     .told_signal = policy.told()};
        const os::Deadline deadline = policy.stopping() ? supervision.grace_end() : os::deadline_after(limits.grace);
        aftermath.stop(order, deadline);
        if (os::has_children() && !os::processes_are_visible()) {
            notify({.what = Notice::What::unseen});
            if (!shares_group && order.told_signal == 0) {
                stop_unseen(-spawned.pid, order.signal, deadline, events);
            } else if (!shares_group) {
                wait_unseen(-spawned.pid, deadline, events);
            }
        }
    }
    // From the inside out: who has lost its supervisor cleans up before we do, however the command ended.
    if (os::has_children()) {
        static_cast<void>(
            Aftermath(events, {.members = others.guardians_at_work, .notify = notify}).wait(std::nullopt));
    }
    return ended;
}

} // namespace finally_run::supervise
