#include "cleanup/command.hpp"

#include "os/error.hpp"
#include "os/process.hpp"
#include "os/shell_words.hpp"
#include "supervise/aftermath.hpp"
#include "text/signal_name.hpp"

#include <csignal>
#include <cstdlib>
#include <unistd.h>
#include <utility>

namespace finally_run::cleanup {

namespace {

// For processes that end a moment after the one that started them, like the last part of `>(tee log)`.
constexpr auto settling_time = std::chrono::milliseconds(200);

std::vector<os::ProcessInfo> members_of(pid_t session) {
    std::vector<os::ProcessInfo> members;
    if (os::has_children()) {
        for (os::ProcessInfo& process : os::descendants(::getpid())) {
            if (process.session == session) {
                members.push_back(std::move(process));
            }
        }
    }
    return members;
}

// A /bin/sh that is bash knows the functions that a bash has exported.
bool is_exported_function(const std::string& name) { return ::getenv(("BASH_FUNC_" + name + "%%").c_str()) != nullptr; }

class Attempt {
public:
    Attempt(pid_t pid, const TimeLimits& limits, os::Events& events, const Listening& listening)
        : m_pid(pid), m_grace(limits.grace), m_events(events), m_listening(listening),
          m_rest(events, {.members = [pid] { return members_of(pid); },
                          .notify = listening.notify,
                          .on_signal = listening.on_signal}),
          m_limit_end(os::deadline_after(limits.limit)) {}

    os::WaitStatus wait_for_end();
    // Those that are still there after settling, or, after the time limit, after SIGKILL.
    std::vector<os::ProcessInfo> leftovers();

    [[nodiscard]] bool timed_out() const { return m_timed_out; }

private:
    void handle_deadlines();
    pid_t m_pid;
    text::Limit m_grace;
    os::Events& m_events;
    const Listening& m_listening;
    supervise::Aftermath m_rest; // what is left of its session
    os::Deadline m_limit_end;
    os::Deadline m_grace_end; // nullopt also if the grace never ends
    bool m_timed_out = false;
    bool m_killed = false;
};

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
        const os::Event event = m_events.wait(os::earliest({m_limit_end, m_killed ? std::nullopt : m_grace_end}));
        if (const auto* const signal = std::get_if<os::Signal>(&event)) {
            m_listening.on_signal(*signal);
            while (const auto change = os::next_change(m_pid)) {
                if (change->si_code != CLD_STOPPED && change->si_code != CLD_CONTINUED) {
                    return os::WaitStatus::from(*change);
                }
            }
        }
        handle_deadlines();
    }
}

std::vector<os::ProcessInfo> Attempt::leftovers() {
    // After the time limit they have what is left of the grace period, otherwise a moment.
    if (m_timed_out) {
        m_rest.stop({.signal = SIGTERM, .told_group = m_pid, .told_signal = SIGTERM}, m_grace_end);
    } else if (m_rest.wait(os::deadline_after(settling_time)) == supervise::Aftermath::Waited::deadline) {
        return members_of(m_pid);
    }
    return {};
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
    Outcome outcome;
    const os::SpawnResult spawned = os::spawn({.argv = line.argv(),
                                               .env = surroundings.env,
                                               .signals = os::default_signals(),
                                               .ignored_here = events.signals().ignored_here(),
                                               .placement = os::Placement::own_session,
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
    Attempt attempt(spawned.pid, limits, events, listening);
    const os::WaitStatus status = attempt.wait_for_end();
    outcome.exit_code = status.shell_code();
    outcome.signal = status.signal();
    const auto leftovers = attempt.leftovers();
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
