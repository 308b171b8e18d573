#include "run/run.hpp"

#include "cleanup/executor.hpp"
#include "cleanup/remove_tree.hpp"
#include "journal/file.hpp"
#include "journal/runs.hpp"
#include "lock/lock.hpp"
#include "os/error.hpp"
#include "os/process.hpp"
#include "os/state_dir.hpp"
#include "report/messages.hpp"
#include "run/environment.hpp"
#include "run/first_record.hpp"
#include "run/guardian.hpp"
#include "run/hand_over.hpp"
#include "run/holders.hpp"
#include "run/journal_stack.hpp"
#include "run/narrator.hpp"
#include "run/program.hpp"
#include "run/recovery.hpp"
#include "run/take_over.hpp"
#include "run/watch.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <sys/prctl.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

namespace finally_run::run {

namespace {

void say_why(Narrator& narrator, const std::exception& error) {
    const auto* const system = dynamic_cast<const std::system_error*>(&error);
    if (system == nullptr) {
        narrator.failed(error.what());
        return;
    }
    // what() is "operation: object: reason". Apart, so that a long path does not push the reason out of the message.
    const std::string_view reason = os::error_text(system->code().value());
    std::string_view what = system->what();
    if (what.ends_with(reason)) {
        what.remove_suffix(std::min(what.size(), reason.size() + std::string_view(": ").size()));
    }
    narrator.failed(what, {}, reason);
}

constexpr plan::Ending own_failure{plan::Result::not_started, own_failure_status, 0};

// What must never be removed is refused before anything has happened.
bool removals_allowed(const plan::Plan& plan, const std::filesystem::path& state_dir, Narrator& narrator) {
    const char* const home = std::getenv("HOME");
    for (const plan::Step& step : plan.steps) {
        if (step.kind != plan::Step::Kind::remove) {
            continue;
        }
        const auto reason =
            cleanup::refuse_reason(AT_FDCWD, step.text, home != nullptr ? home : "", state_dir.native());
        if (!reason) {
            continue;
        }
        narrator.failed("--remove", step.text, *reason);
        return false;
    }
    return true;
}

std::variant<lock::Held, ProgramEnd> take_locks(const plan::Plan& plan, const std::filesystem::path& state_dir,
                                                os::Events& events, Narrator& narrator) {
    if (plan.locks.empty()) {
        return lock::Held{};
    }
    const auto start = os::Clock::now();
    const auto while_waiting = [&](const std::string& name, const std::optional<lock::Holder>& holder, plan::Duration) {
        return narrator.lock_awaited(name, holder);
    };
    auto outcome =
        lock::acquire(plan.locks, state_dir, plan.lock_wait, events, while_waiting, holders_by_journal(state_dir));
    narrator.lock_wait_over(os::Clock::now() - start);
    if (auto* const held = std::get_if<lock::Held>(&outcome)) {
        return std::move(*held);
    }
    if (const auto* const interrupted = std::get_if<lock::Interrupted>(&outcome)) {
        const int signal = interrupted->signal;
        const auto result = interrupted->caller_gone ? plan::Result::caller_gone : plan::Result::stopped;
        return ProgramEnd{{result, 128 + signal, signal}, {128 + signal, signal}};
    }
    narrator.lock_not_had(std::get<lock::NotHad>(outcome));
    const int status = plan.conflict_exit_code;
    return ProgramEnd{{plan::Result::not_started, status, 0}, {status, 0}};
}

ProgramEnd run_program(Program& program, JournalStack& stack, Narrator& narrator) {
    try {
        return program.run();
    } catch (const std::exception& error) {
        if (stack.state().step) {
            throw; // it may be running, out of our control: the guardian ends it before it cleans up
        }
        say_why(narrator, error);
        ProgramEnd end{own_failure, {own_failure_status, 0}};
        end.begun = stack.state().begun;
        return end;
    }
}

bool still_runs(const journal::Started& started) {
    const auto process = os::read_process(started.process.pid);
    return process && !process->ended && os::start_against(*process, started.process.boot_nanoseconds) <= 0;
}

// Everything from the journal on, with the locks held.
class GuardedRun {
public:
    GuardedRun(const plan::Plan& plan, const MainWords& words, const std::string& run_id, const journal::Runs& runs,
               const lock::Held& locks, Environment& environment, os::Events& events, Narrator& narrator)
        : m_plan(plan), m_locks(locks), m_environment(environment), m_events(events), m_narrator(narrator),
          m_shares_group(os::has_controlling_terminal()), m_output(runs.log_of(run_id)),
          m_stack(start_journal(run_id, runs, words)),
          m_guardian(
              run_id, words, events, [this] { return settle_guardian(); }, [this] { finish_as_guardian(); }) {
        environment.set("FINALLY_RUN_JOURNAL", m_stack.file().path().native());
    }

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
};

JournalStack GuardedRun::start_journal(const std::string& run_id, const journal::Runs& runs,
                                       const MainWords& words) const {
    journal::State state;
    state.opened = first_record(m_plan, run_id, m_locks, !m_shares_group, words.envp);
    auto file = journal::File::create(runs, state.opened, m_plan.durable);
    return {std::move(file), std::move(state),
            [&narrator = m_narrator](std::string_view what, std::string_view reason) {
                narrator.journal_trouble(what, reason);
            }};
}

// In the guardian, right after the fork: what was in the words of main is copied, and what CI systems look for when
// they hunt leftovers is taken out, for the guardian and for the cleanups that it may run.
std::vector<int> GuardedRun::settle_guardian() {
    m_environment.detach();
    for (const char* const marker :
         {"RUNNER_TRACKING_ID", "VSTS_PROCESS_LOOKUP_ID", "JENKINS_NODE_COOKIE", "JENKINS_SERVER_COOKIE"}) {
        m_environment.remove(marker);
    }
    static std::vector<char*> own_environ;
    for (const char* const* entry = m_environment.block(); *entry != nullptr; ++entry) {
        own_environ.push_back(::strdup(*entry));
    }
    own_environ.push_back(nullptr);
    environ = own_environ.data();

    ::dup2(m_output.null(), STDIN_FILENO);
    ::dup2(m_output.null(), STDOUT_FILENO);
    std::vector<int> needed{STDIN_FILENO,        STDOUT_FILENO,   m_events.signals().fd(),
                            m_stack.file().fd(), m_output.null(), m_output.log()};
    for (const lock::LockFile& lock : m_locks) {
        needed.push_back(lock.fd.get());
    }
    return needed;
}

void GuardedRun::finish_as_guardian() {
    // A cleanup's own orphans are ours to find and reap.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    os::Events events(m_events.signals(), {});
    const Orphan orphan{m_stack, m_plan, m_environment, m_output};
    const TakenOver end = take_over(plan::Actor::guardian, orphan, events, m_narrator, m_narrator);
    keep_log(end.failed);
    m_narrator.write_report(end.ending);
}

void GuardedRun::keep_log(std::size_t failed) {
    if (const auto log = m_output.finish(failed > 0); !log.empty()) {
        m_narrator.failed("output of the cleanups", log.native());
    }
}

void GuardedRun::hand_over(const cleanup::Cleanup& cleanup) {
    if (!m_guardian.is_there()) {
        m_narrator.noted("still cleaning up", cleanup.text, "there is no guardian to leave it to");
        return;
    }
    // Between two attempts there is nothing to let end: then the guardian makes the next one.
    if (const auto& cleaning = m_stack.state().cleaning; cleaning && still_runs(*cleaning)) {
        m_stack.record(journal::HandedOver{});
    }
    m_narrator.noted("left to the guardian", cleanup.text, "finally-run --status shows it");
    os::die_of(SIGINT);
}

std::size_t GuardedRun::run_cleanups(const ProgramEnd& end) {
    if (!end.begun) {
        static_cast<void>(m_stack.close(true));
        return 0;
    }
    m_stack.record(journal::Ended{end.ending});
    m_environment.set_ending(end.ending, plan::Actor::supervisor);
    const cleanup::Settings settings{
        {m_plan.cleanup_timeout, m_plan.grace}, m_plan.cleanup_retries, m_environment.block()};
    HandOver observer(m_narrator, [this](const cleanup::Cleanup& cleanup) { hand_over(cleanup); });
    std::size_t failed = 0;
    do {
        failed += cleanup::run_all(m_stack, end.ending.result, settings, m_output, m_events, observer);
    } while (!m_stack.close());
    return failed;
}

Finish GuardedRun::run() {
    m_guardian.start([this](std::string_view reason) {
        m_narrator.failed("guardian cannot be replaced", "after a kill -9 the next run or --recover cleans up", reason);
    });
    try {
        m_stack.file().publish();
    } catch (...) {
        m_guardian.dismiss();
        throw;
    }
    Program program(m_plan, m_shares_group, m_stack, m_output, m_environment, m_events, m_narrator);
    const ProgramEnd end = run_program(program, m_stack, m_narrator);
    const std::size_t failed = run_cleanups(end);
    m_guardian.dismiss();
    keep_log(failed);
    m_narrator.write_report(end.ending);
    return m_plan.strict && failed > 0 ? end.finish.with_failed_cleanup() : end.finish;
}

Finish run_with_locks(const plan::Plan& plan, const MainWords& words, Environment& environment,
                      const std::string& run_id, const std::filesystem::path& state_dir, os::Events& events,
                      Narrator& narrator) {
    auto locks = take_locks(plan, state_dir, events, narrator);
    if (const auto* const end = std::get_if<ProgramEnd>(&locks)) {
        narrator.write_report(end->ending);
        return end->finish;
    }
    const auto& held = std::get<lock::Held>(locks);
    const journal::Runs runs(state_dir);
    if (const int signal = finish_runs_of(held, runs, plan.verbosity, events.signals(), narrator); signal != 0) {
        const ProgramEnd end = stopped_by(signal);
        narrator.write_report(end.ending);
        return end.finish;
    }
    return GuardedRun(plan, words, run_id, runs, held, environment, events, narrator).run();
}

} // namespace

Finish run(const plan::Plan& plan, const MainWords& words, os::Signals& signals) {
    const std::string run_id = new_run_id();
    Environment environment(words.envp);
    Narrator narrator(plan, environment.block(), run_id);
    try {
        const std::filesystem::path state_dir = os::state_dir_path(plan.state_dir);
        if (!removals_allowed(plan, state_dir, narrator)) {
            narrator.write_report(own_failure);
            return {own_failure_status, 0};
        }
        environment.set("FINALLY_RUN_ID", run_id);
        // Orphans of the command become our children, so that we can find, wait for and reap them: prctl(2).
        ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        os::Events events(signals, what_to_watch(plan.stop_with_caller, signals));
        return run_with_locks(plan, words, environment, run_id, state_dir, events, narrator);
    } catch (const std::exception& error) {
        say_why(narrator, error);
        narrator.write_report(own_failure);
        return {own_failure_status, 0};
    }
}

void say_error(std::string_view message) { report::Messages(plan::Verbosity::normal).error(message); }

} // namespace finally_run::run
