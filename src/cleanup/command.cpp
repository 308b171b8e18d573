#include "cleanup/command.hpp"

#include "os/error.hpp"
#include "os/process.hpp"
#include "os/shell_words.hpp"
#include "os/terminal.hpp"
#include "supervise/aftermath.hpp"
#include "text/signal_name.hpp"

#include <csignal>
#include <cstdlib>
#include <unistd.h>
#include <unordered_set>
#include <utility>

namespace finally_run::cleanup {

namespace {

// For processes that end a moment after the one that started them, like the last part of `>(tee log)`.
constexpr auto settling_time = std::chrono::milliseconds(200);
// While a cleanup is in the foreground.
constexpr auto look_for_stopped = std::chrono::milliseconds(100);

// The processes of a cleanup.
class Members {
public:
    explicit Members(bool in_our_session) : m_in_our_session(in_our_session) {
        if (in_our_session && os::has_children()) {
            m_strangers = os::descendants(::getpid());
        }
    }

    // In a session of its own all that are there. In ours it is in a group of its own, and so is whatever it puts in
    // another group: they are those whose group is neither ours nor that of somebody who was there before.
    [[nodiscard]] std::vector<os::ProcessInfo> of(pid_t cleanup) const {
        std::vector<os::ProcessInfo> members;
        const pid_t session = m_in_our_session ? ::getsid(0) : cleanup;
        std::unordered_set<pid_t> groups{::getpgrp()};
        std::unordered_set<pid_t> parents;
        for (const os::ProcessInfo& stranger : m_strangers) {
            groups.insert(stranger.group);
            parents.insert(stranger.pid);
        }
        for (os::ProcessInfo& process : os::descendants(::getpid())) {
            if (process.group != cleanup && (groups.contains(process.group) || parents.contains(process.parent))) {
                parents.insert(process.pid);
            } else if (process.session == session) {
                members.push_back(std::move(process));
            }
        }
        return members;
    }

private:
    bool m_in_our_session;
    std::vector<os::ProcessInfo> m_strangers;
};

// A /bin/sh that is bash knows the functions that a bash has exported.
bool is_exported_function(const std::string& name) { return ::getenv(("BASH_FUNC_" + name + "%%").c_str()) != nullptr; }

class Attempt {
public:
    Attempt(pid_t pid, const Members& members, const TimeLimits& limits, os::Events& events, const Listening& listening)
        : m_pid(pid), m_members(members), m_grace(limits.grace), m_events(events), m_listening(listening),
          m_rest(events,
                 {.members = [this] { return look(); }, .notify = listening.notify, .on_signal = listening.on_signal}),
          m_limit_end(os::deadline_after(limits.limit)) {}

    os::WaitStatus wait_for_end();
    // Those that are still there after settling, or, after the time limit, after SIGKILL.
    std::vector<os::ProcessInfo> leftovers();

    [[nodiscard]] bool timed_out() const { return m_timed_out; }
    [[nodiscard]] bool in_front() const { return m_in_front; }
    // After it has ended so. If it was cut off it may have left the terminal without its echo, as a killed sudo(8)
    // does.
    void give_terminal_back(const os::WaitStatus& status) const;

private:
    [[nodiscard]] std::vector<os::ProcessInfo> look();
    void end_stopped();
    void wait_for_inner_guardians();
    void handle_deadlines();
    void on_stop(int signal);
    void continue_stopped();

    pid_t m_pid;
    const Members& m_members;
    text::Limit m_grace;
    os::Events& m_events;
    const Listening& m_listening;
    supervise::Aftermath m_rest; // what is left of its session
    os::Deadline m_limit_end;
    os::Deadline m_grace_end; // nullopt also if the grace never ends
    bool m_timed_out = false;
    bool m_killed = false;
    bool m_in_front = false;                        // of the terminal, to ask for something
    std::optional<os::TerminalSettings> m_terminal; // as it was before: who is not in front cannot change it
    bool m_alone = false;                           // at the last look we had no descendants
};

std::vector<os::ProcessInfo> Attempt::look() {
    m_alone = !os::has_children();
    return m_alone ? std::vector<os::ProcessInfo>() : m_members.of(m_pid);
}

// Whoever stops it has told them all, and kills them after the same time, unless he has gone away.
void Attempt::end_stopped() {
    if (m_rest.wait(os::deadline_after(m_grace)) == supervise::Aftermath::Waited::deadline) {
        m_rest.stop({.signal = SIGKILL}, std::nullopt);
    }
}

// They are adopted by us, so there is nobody to look for if we are alone.
void Attempt::wait_for_inner_guardians() {
    if (!m_alone && m_listening.inner_guardians) {
        static_cast<void>(supervise::Aftermath(m_events, {.members = m_listening.inner_guardians,
                                                          .notify = m_listening.notify,
                                                          .on_signal = m_listening.on_signal})
                              .wait(std::nullopt));
    }
}

// In the background the kernel stops whoever reads from the terminal or changes it, like a sudo(8) that asks for a
// password. Nobody would ever continue it.
void Attempt::on_stop(int signal) {
    if (signal != SIGTTIN && signal != SIGTTOU) {
        return;
    }
    if (!m_terminal) {
        m_terminal.emplace();
    }
    m_in_front = os::give_foreground(m_pid);
    if (!m_in_front) {
        ::kill(-m_pid, SIGHUP); // as the kernel does to a stopped group that nobody watches over
    }
    ::kill(-m_pid, SIGCONT);
}

void Attempt::give_terminal_back(const os::WaitStatus& status) const {
    if (!m_in_front) {
        return;
    }
    os::take_foreground_back(m_pid);
    if (status.signal() != 0 || m_timed_out || (m_listening.is_stopped && m_listening.is_stopped())) {
        m_terminal->put_back();
    }
}

// A sudo(8) below a shell stops itself, perhaps just after we have continued the shell, and nobody is told.
void Attempt::continue_stopped() {
    for (const os::ProcessInfo& process : m_members.of(m_pid)) {
        if (process.state == 'T') {
            os::send_signal(process, SIGCONT);
        }
    }
}

void Attempt::handle_deadlines() {
    if (os::has_passed(m_limit_end)) {
        m_limit_end.reset();
        m_timed_out = true;
        ::kill(-m_pid, SIGTERM);
        ::kill(-m_pid, SIGCONT);
        m_grace_end = os::deadline_after(m_grace);
    }
    if (!m_killed && os::has_passed(m_grace_end)) {
        m_killed = true;
        ::kill(-m_pid, SIGKILL);
        m_rest.kill(m_pid);
    }
}

os::WaitStatus Attempt::wait_for_end() {
    for (;;) {
        const os::Deadline look = m_in_front ? os::deadline_after(look_for_stopped) : std::nullopt;
        const os::Event event = m_events.wait(os::earliest({m_limit_end, m_killed ? std::nullopt : m_grace_end, look}));
        if (os::has_passed(look)) {
            continue_stopped();
        }
        if (const auto* const signal = std::get_if<os::Signal>(&event)) {
            m_listening.on_signal(*signal);
            while (const auto change = os::next_change(m_pid, m_events.other_child())) {
                if (change->si_code == CLD_STOPPED) {
                    on_stop(change->si_status);
                } else if (change->si_code != CLD_CONTINUED) {
                    return os::WaitStatus::from(*change);
                }
            }
        }
        if (std::holds_alternative<os::LockLost>(event) && m_listening.on_lock_lost) {
            m_listening.on_lock_lost();
        }
        handle_deadlines();
    }
}

std::vector<os::ProcessInfo> Attempt::leftovers() {
    // After the time limit they have what is left of the grace period, otherwise a moment.
    bool settled = true;
    if (m_timed_out) {
        m_rest.stop({.signal = SIGTERM, .told_group = m_pid, .told_signal = SIGTERM}, m_grace_end);
    } else if (m_rest.wait(os::deadline_after(settling_time)) == supervise::Aftermath::Waited::deadline) {
        settled = m_listening.is_stopped && m_listening.is_stopped();
        if (settled) {
            end_stopped();
        }
    }
    wait_for_inner_guardians(); // who may end some of them
    auto left = settled ? std::vector<os::ProcessInfo>() : look();
    std::erase_if(left, [](const os::ProcessInfo& process) { return process.ended; });
    return left;
}

} // namespace

CommandLine::CommandLine(const std::string& cmd) {
    // Without a PATH each shell has one of its own.
    const bool shell_decides = ::getenv("PATH") == nullptr;
    if (auto words = os::plain_words(cmd); words && !shell_decides && !is_exported_function(words->front())) {
        m_words = std::move(*words);
    } else if (cmd.starts_with('-') || cmd.starts_with('+')) {
        m_words = {"/bin/sh", "-c", "--", cmd}; // or sh would take it for an option
    } else {
        m_words = {"/bin/sh", "-c", cmd};
    }
    for (const std::string& word : m_words) {
        m_argv.push_back(word.c_str());
    }
    m_argv.push_back(nullptr);
}

std::string failure_of(const os::WaitStatus& status) {
    if (status.signal() != 0) {
        return "killed by " + text::signal_name(status.signal());
    }
    return status.success() ? "" : "exit status " + std::to_string(status.shell_code());
}

std::string failure_of(const os::SpawnResult& not_started) {
    return std::string("cannot be started: ").append(os::error_text(not_started.error));
}

Outcome run_command(const std::string& cmd, const Surroundings& surroundings, const TimeLimits& limits,
                    os::Events& events, const Listening& listening) {
    const CommandLine line(cmd);
    const Members members(surroundings.in_our_session);
    Outcome outcome;
    const os::SpawnResult spawned =
        os::spawn({.argv = line.argv(),
                   .env = surroundings.env,
                   .signals = os::default_signals(),
                   .ignored_here = events.signals().ignored_here(),
                   .placement = surroundings.in_our_session ? os::Placement::own_group : os::Placement::own_session,
                   .stdio = surroundings.stdio,
                   .directory = surroundings.directory,
                   .mask = surroundings.mask,
                   .in_child = surroundings.in_child});
    if (!spawned.started()) {
        if (spawned.exec_failed) {
            outcome.exit_code = spawned.shell_code();
        }
        outcome.error = failure_of(spawned);
        outcome.lacked_resources = spawned.lacked_resources();
        return outcome;
    }
    Attempt attempt(spawned.pid, members, limits, events, listening);
    const os::WaitStatus status = attempt.wait_for_end();
    outcome.exit_code = status.shell_code();
    outcome.signal = status.signal();
    outcome.hung_up = attempt.in_front() && status.signal() == SIGHUP;
    const auto leftovers = attempt.leftovers();
    attempt.give_terminal_back(status);
    if (attempt.timed_out()) {
        outcome.error = "stopped: it took longer than --cleanup-timeout";
        return outcome;
    }
    outcome.error = failure_of(status);
    if (outcome.error.empty() && !leftovers.empty()) {
        outcome.error = "left a process running: " + leftovers.front().name + " (pid " +
                        std::to_string(leftovers.front().pid) + ")";
    }
    return outcome;
}

} // namespace finally_run::cleanup
