#include "cleanup/executor.hpp"

#include "cleanup/fresh_directory.hpp"
#include "cleanup/removal.hpp"
#include "cleanup/service.hpp"
#include "os/clock.hpp"
#include "os/error.hpp"
#include "os/place.hpp"
#include "os/process.hpp"
#include "os/shell_words.hpp"
#include "os/variables.hpp"
#include "text/signal_name.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <system_error>
#include <utility>

namespace finally_run::cleanup {

namespace {

constexpr text::Duration first_pause = std::chrono::milliseconds(100);
constexpr text::Duration longest_pause = std::chrono::seconds(30);
constexpr text::Duration worth_a_word = std::chrono::seconds(1); // that a process cannot be had

// It has ended whoever ran it, so often: the others shall run all the same.
constexpr unsigned most_begun = 3;

constexpr const char* stopped = "ended by --stop";

class Executor {
public:
    Executor(const Means& means, const Settings& settings) : m_means(means), m_settings(settings) {}

    Outcome run(const Cleanup& cleanup);

private:
    Outcome run_in(int directory, const Cleanup& cleanup);
    Outcome attempt(int directory, const Cleanup& cleanup);
    Outcome attempt_kind(int directory, const Cleanup& cleanup);
    Outcome attempt_command(int directory, const Cleanup& cleanup);
    Outcome attempt_removal(int directory, const Cleanup& cleanup);
    Outcome attempt_stop(const Cleanup& cleanup);
    void finish_inner_runs(const Outcome& outcome);
    // What was asked for ends it; whoever asks wakes us with a SIGCHLD.
    void pause(const Cleanup& cleanup, text::Duration duration);
    bool is_stop_asked(const Cleanup& cleanup);
    // The variable that it relies on and would not find.
    [[nodiscard]] const std::string* missing(const Cleanup& cleanup) const;
    // Why it has failed without being begun; empty: it has not.
    [[nodiscard]] std::string why_not(const Cleanup& cleanup) const;

    const Means& m_means;
    const Settings& m_settings;
};

Outcome Executor::attempt_command(int directory, const Cleanup& cleanup) {
    // SIGCHLD only wakes us.
    const Listening listening{.on_signal =
                                  [&](const os::Signal& signal) {
                                      if (signal.number != SIGCHLD) {
                                          m_means.on_signal(cleanup, signal);
                                      }
                                  },
                              .notify = [&](const supervise::Notice& notice) { m_means.observer.noticed(notice); },
                              .on_lock_lost = m_means.look_at_locks,
                              .is_stopped = [&] { return is_stop_asked(cleanup); },
                              .inner_guardians = m_means.inner_guardians};
    for (bool again = false;; again = true) {
        const int out = m_means.output.writable();
        const os::Stdio stdio{m_means.output.null(), out, out};
        const Surroundings surroundings{
            m_settings.env,           stdio, directory, m_settings.mask, m_means.stack.in_child(cleanup),
            m_settings.in_our_session};
        Outcome outcome = run_command(cleanup.text, surroundings, m_settings.limits, m_means.events, listening);
        // It may have failed only because nobody reads what it prints, or by the hang-up of its terminal: then it gets
        // a second chance, on the log, and in the background.
        const auto lost_terminal = [&] {
            return (outcome.hung_up && !again) || (out == STDERR_FILENO && m_means.output.stderr_dead());
        };
        if (outcome.error.empty() || !lost_terminal() || is_stop_asked(cleanup)) {
            return outcome;
        }
    }
}

Outcome Executor::attempt_removal(int directory, const Cleanup& cleanup) {
    const std::string state_dir = m_means.stack.file().state_dir();
    Removal removal{directory, cleanup.text};
    if (cleanup.kind == Cleanup::Kind::temp_dir) {
        removal.care = {.others = Care::Others::go, .kept = {}};
    } else {
        const char* const home = os::variable_in(m_settings.env, "HOME");
        removal.care.kept = {home != nullptr ? home : "", state_dir};
        if (!cleanup.resolved.empty()) {
            removal.path = cleanup.resolved;
            removal.care.no_links = true;
        }
    }
    const auto on_signal = [&](const os::Signal& signal) { m_means.on_signal(cleanup, signal); };
    const auto in_child = [&] {
        static_cast<void>(m_means.stack.in_child(cleanup)());
        m_means.stack.check_child();
    };
    return run_removal(removal, m_settings.limits.limit, m_means.events, on_signal, in_child);
}

// One that was not started has nothing to be stopped.
Outcome Executor::attempt_stop(const Cleanup& cleanup) {
    if (const auto service = m_means.stack.service(cleanup.id)) {
        const RunningService running{service->process, "FINALLY_RUN_ID=" + m_means.stack.read_state().opened.run_id,
                                     m_settings.pids, m_settings.numbers_hold, m_means.inner_guardians};
        const auto on_signal = [&](const os::Signal& signal) {
            if (signal.number != SIGCHLD) {
                m_means.on_signal(cleanup, signal);
            }
        };
        stop_service(running, m_settings.limits.grace, m_means.events, on_signal,
                     [&](const supervise::Notice& notice) { m_means.observer.noticed(notice); });
    }
    return {};
}

// From the inside out. Where nobody was killed, whoever was inside has ended by itself.
void Executor::finish_inner_runs(const Outcome& outcome) {
    const bool killed = m_means.events.take_child_was_killed() || outcome.signal != 0;
    if (killed && m_means.finish_inner_runs) {
        m_means.finish_inner_runs();
    }
}

Outcome Executor::attempt(int directory, const Cleanup& cleanup) {
    Outcome outcome = attempt_kind(directory, cleanup);
    finish_inner_runs(outcome);
    return outcome;
}

Outcome Executor::attempt_kind(int directory, const Cleanup& cleanup) {
    Outcome outcome;
    try {
        switch (cleanup.kind) {
        case Cleanup::Kind::command:
        case Cleanup::Kind::on_success:
        case Cleanup::Kind::on_failure:
            return attempt_command(directory, cleanup);
        case Cleanup::Kind::remove:
        case Cleanup::Kind::temp_dir:
            return attempt_removal(directory, cleanup);
        case Cleanup::Kind::service:
            return attempt_stop(cleanup);
        }
    } catch (const std::exception& error) { // the others still have to run
        outcome.error = os::text_of(error);
    }
    return outcome;
}

bool Executor::is_stop_asked(const Cleanup& cleanup) {
    static_cast<void>(m_means.stack.read_state());
    return m_means.stack.is_stop_asked(cleanup);
}

void Executor::pause(const Cleanup& cleanup, text::Duration duration) {
    const os::Deadline end = os::deadline_after(duration);
    while (!os::has_passed(end) && !is_stop_asked(cleanup)) {
        const os::Event event = m_means.events.wait(end);
        const auto* const signal = std::get_if<os::Signal>(&event);
        if (signal != nullptr && signal->number == SIGCHLD) {
            os::reap_all(m_means.events.other_child());
        } else if (signal != nullptr) {
            m_means.on_signal(cleanup, *signal);
        }
    }
}

Outcome Executor::run_in(int directory, const Cleanup& cleanup) {
    // Without processes for a moment a cleanup is not lost, whatever --cleanup-retries says; but not for ever.
    const os::Deadline resources_awaited = os::deadline_after(std::chrono::minutes(1));
    text::Duration next_pause = first_pause;
    for (unsigned attempts = 1;;) {
        Outcome outcome = attempt(directory, cleanup);
        outcome.attempts = attempts;
        if (!is_stop_asked(cleanup)) {
            const bool counts = !outcome.lacked_resources || os::has_passed(resources_awaited);
            if (outcome.error.empty() || (counts && attempts > m_settings.retries)) {
                return outcome;
            }
            attempts += counts ? 1 : 0;
            if (counts || next_pause >= worth_a_word) {
                m_means.observer.retrying(cleanup, outcome, attempts, next_pause);
            }
            pause(cleanup, next_pause);
        }
        if (m_means.stack.is_stop_asked(cleanup)) {
            outcome.error = stopped;
            return outcome;
        }
        next_pause = std::min(next_pause * 2, longest_pause);
    }
}

// A shell puts nothing in its place, and then may well succeed: `curl -H "Authorization: $TOKEN"` does.
const std::string* Executor::missing(const Cleanup& cleanup) const {
    switch (cleanup.kind) {
    case Cleanup::Kind::command:
    case Cleanup::Kind::on_success:
    case Cleanup::Kind::on_failure:
        for (const std::string& name : m_settings.missing) {
            if (os::relies_on(cleanup.text, name)) {
                return &name;
            }
        }
        return nullptr;
    case Cleanup::Kind::remove:
    case Cleanup::Kind::temp_dir:
    case Cleanup::Kind::service:
        return nullptr;
    }
    return nullptr;
}

std::string Executor::why_not(const Cleanup& cleanup) const {
    if (m_means.stack.is_stop_asked(cleanup)) { // of whoever was at it before us
        return stopped;
    }
    if (const unsigned times = m_means.stack.times_begun(cleanup); times >= most_begun) {
        return "begun " + std::to_string(times) + " times and never finished: it is not begun again";
    }
    const std::string* const name = missing(cleanup);
    return name != nullptr ? *name + " is not set here" : "";
}

Outcome Executor::run(const Cleanup& cleanup) {
    if (std::string error = why_not(cleanup); !error.empty()) {
        Outcome outcome;
        outcome.attempts = std::max(1U, m_means.stack.times_begun(cleanup));
        outcome.error = std::move(error);
        return outcome;
    }
    if (!cleanup.place) {
        return run_in(m_settings.directory, cleanup);
    }
    try {
        if (const os::Fd directory = os::open_place(*cleanup.place, m_settings.same_boot)) {
            return run_in(directory.get(), cleanup);
        }
        m_means.observer.moved(cleanup, os::error_text(errno));
        const FreshDirectory fresh;
        return run_in(fresh.fd(), cleanup);
    } catch (const std::system_error& error) {
        Outcome outcome;
        outcome.error = error.what();
        return outcome;
    }
}

} // namespace

void tell_ending(os::Environment& environment, const plan::Ending& ending, plan::Actor by, std::string_view lock) {
    environment.set("FINALLY_RUN_RESULT", plan::name_of(ending.result));
    environment.set("FINALLY_RUN_EXIT_CODE", std::to_string(ending.exit_code));
    environment.set("FINALLY_RUN_SIGNAL", ending.signal != 0 ? text::signal_name(ending.signal) : "");
    environment.set("FINALLY_RUN_BY", plan::name_of(by));
    environment.set(lock_variable, lock);
}

std::size_t run_all(const Means& means, plan::Result result, const Settings& settings) {
    Executor executor(means, settings);
    std::size_t failed = 0;
    while (const auto cleanup = means.stack.top()) {
        Outcome outcome;
        if (plan::applies(cleanup->kind, result)) {
            if (means.look_at_locks) {
                means.look_at_locks();
            }
            means.observer.begin(*cleanup);
            const auto start = os::Clock::now();
            outcome = executor.run(*cleanup);
            means.observer.end(*cleanup, outcome, os::Clock::now() - start);
            failed += outcome.error.empty() ? 0 : 1;
        }
        means.stack.finished(*cleanup, outcome);
    }
    return failed;
}

std::size_t run_to_end(const Means& means, plan::Result result, const Settings& settings) {
    std::size_t failed = 0;
    do {
        failed += run_all(means, result, settings);
        if (means.look_at_locks) { // what was learnt during the last one belongs into the journal too
            means.look_at_locks();
        }
    } while (!means.stack.close());
    return failed;
}

} // namespace finally_run::cleanup
