#include "run/supervisor.hpp"

#include "cleanup/executor.hpp"
#include "os/adopter.hpp"
#include "os/ci.hpp"
#include "os/error.hpp"
#include "os/fd.hpp"
#include "os/process.hpp"
#include "report/call.hpp"
#include "rescue/inner_runs.hpp"
#include "rescue/leftovers.hpp"
#include "rescue/make_room.hpp"
#include "rescue/take_over.hpp"
#include "run/lock_loss.hpp"
#include "run/steps.hpp"
#include "supervise/sentinel.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <exception>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string_view>
#include <sys/prctl.h>
#include <unistd.h>
#include <utility>

namespace finally_run::run {

namespace {

plan::RunEnd run_program(Steps& program, cleanup::Stack& stack, report::Narrator& narrator) {
    try {
        return program.run();
    } catch (const std::exception& error) {
        if (stack.read_state().step) {
            throw; // it may be running, out of our control: the guardian ends it before it cleans up
        }
        narrator.failed(error);
        plan::RunEnd end{plan::own_failure, {plan::own_failure_status, 0}};
        end.begun = stack.read_state().begun;
        return end;
    }
}

// To take a run over: its first record, which has the whole environment, is read, parsed and made an environment again.
std::size_t memory_for(const journal::File& file) {
    constexpr std::size_t for_all_else = std::size_t(64) << 10;
    constexpr std::size_t copies = 3; // two are what it takes
    return for_all_else + copies * file.end_of_append();
}

} // namespace

Supervisor::Supervisor(const Parts& parts, const os::MainArgs& main_args, const lock::Held& locks, std::string holder)
    : m_run(parts), m_main_args(main_args), m_locks(locks), m_holder(std::move(holder)),
      m_run_id(parts.stack.read_state().opened.run_id), m_shares_group(!parts.stack.read_state().opened.own_group),
      m_guardian(m_run_id, main_args, parts.events,
                 {[this] { return needed_by_guardian(); }, parts.output.null(), memory_for(parts.stack.file()),
                  [this] { finish_as_guardian(); }}) {
    std::vector<std::string> services;
    for (const plan::Step& step : parts.plan.steps) {
        if (step.cleanup == plan::Cleanup::Kind::service) {
            services.push_back(step.text);
        }
    }
    if (!services.empty()) {
        m_service_output.emplace(services, parts.narrator.service_output_when(), parts.output,
                                 parts.narrator.has_colour());
        parts.events.work_beside(&*m_service_output);
        parts.narrator.use(&*m_service_output);
    }
    parts.stack.on_unrecorded([this] { m_guardian.renew(); });
    if (parts.keeper != nullptr) {
        parts.stack.on_clean([this] { tell_clean(); });
    }
    parts.environment.set("FINALLY_RUN_JOURNAL", parts.stack.file().path().native());
}

Supervisor::~Supervisor() {
    m_run.events.work_beside(nullptr);
    m_run.narrator.use(nullptr);
}

std::vector<int> Supervisor::needed_by_guardian() const {
    std::vector<int> needed{m_run.events.signals().fd(), m_run.stack.file().fd(), m_run.output.null(),
                            m_run.output.log()};
    if (m_service_output) {
        std::ranges::copy(m_service_output->readers(), std::back_inserter(needed));
    }
    for (const lock::LockFile& lock : m_locks) {
        needed.push_back(lock.fd.get());
    }
    if (m_run.keeper != nullptr) {
        needed.push_back(m_run.keeper->line());
    }
    return needed;
}

void Supervisor::finish_as_guardian() {
    // What CI systems look for when they hunt leftovers is not for us, nor for the cleanups that we may run.
    for (const char* const marker : os::leftover_markers) {
        m_run.environment.remove(marker);
    }
    m_guardian_environment.take(m_run.environment);
    // A cleanup's own orphans are ours to find and reap.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    os::Events events(m_run.events.signals(), {});
    events.work_beside(m_service_output ? &*m_service_output : nullptr);
    // What we say goes where the cleanups write.
    if (!m_run.stack.read_state().is_done() && m_run.output.stderr_dead()) {
        ::dup2(m_run.output.writable(), STDERR_FILENO);
    }
    rescue::DeadRun dead_run{m_run.stack, m_run.plan, m_run.environment, m_run.output};
    if (m_run.keeper != nullptr) {
        dead_run.lock_loss = [this] { return m_run.keeper->loss(); };
    }
    const rescue::Rescued end = rescue::take_over(plan::Actor::guardian, dead_run, events, m_run.narrator);
    m_run.narrator.output_ends(m_run.output, end.failed, m_run.stack);
    m_run.narrator.write_report(end.ending, plan::Actor::guardian);
    rescue::make_room(m_run.stack);
    give_back();
}

// To the engines: what the run has done to the world is undone.
void Supervisor::tell_clean() {
    // What its last holder has left is undone by a run that has begun alone.
    const auto was_clean = [](const engine::HeldLock& lock) { return lock.unclean.empty(); };
    if (m_run.stack.read_state().begun || std::ranges::all_of(m_run.keeper->held(), was_clean)) {
        m_run.keeper->clean();
    }
}

// The locks at engines.
void Supervisor::give_back() {
    if (m_run.keeper != nullptr) {
        m_run.narrator.lock_not_freed(m_run.keeper->release(engine::release_patience));
    }
}

// Its loss changes nothing more once the command is over, but a cleanup may want to know.
std::string_view Supervisor::lock_state() const {
    if (m_run.keeper == nullptr) {
        return {};
    }
    return has_lost_lock(m_run) ? "lost" : "held";
}

void Supervisor::hand_over(const cleanup::Cleanup& cleanup) {
    if (!m_guardian.is_there()) {
        m_run.narrator.noted("still cleaning up", cleanup.text, "there is no guardian to leave it to");
        return;
    }
    // Between two attempts there is nothing to let end: then the guardian makes the next one.
    if (const auto& cleaning = m_run.stack.read_state().cleaning;
        cleaning && os::still_runs(cleaning->process.pid, cleaning->process.boot_nanoseconds)) {
        m_run.stack.record(journal::HandedOver{});
    }
    m_run.narrator.noted("left to the guardian", cleanup.text,
                         report::call_for(m_run.plan.state_dir) + " --status shows it");
    os::die_of(SIGINT);
}

cleanup::Settings Supervisor::cleanup_settings() const {
    cleanup::Settings settings{
        {m_run.plan.cleanup_timeout, m_run.plan.grace}, m_run.plan.cleanup_retries, m_run.environment.block()};
    settings.in_our_session = m_shares_group;
    return settings;
}

cleanup::Means Supervisor::cleanup_means(OnSignal on_signal) {
    return {m_run.stack,
            m_run.output,
            m_run.events,
            m_run.narrator,
            std::move(on_signal),
            [this] { m_run.environment.set(cleanup::lock_variable, lock_state()); },
            [this] { return rescue::guardians_at_work(m_run.stack.file().path()); },
            [this] { finish_inner_runs(); }};
}

void Supervisor::finish_inner_runs() {
    rescue::finish_inner_runs(m_run.stack.file().path(), m_run.plan, m_run.environment, m_run.events, m_run.narrator);
}

std::size_t Supervisor::run_cleanups(const plan::RunEnd& end) {
    if (!end.begun) {
        static_cast<void>(m_run.stack.close(true));
        return 0;
    }
    m_run.stack.record(journal::Ended{end.ending});
    const bool child_was_killed = m_run.events.take_child_was_killed();
    if (end.ending.signal != 0 || child_was_killed) { // else whoever was inside has ended by itself
        finish_inner_runs();
    }
    cleanup::tell_ending(m_run.environment, end.ending, plan::Actor::supervisor, lock_state());
    unsigned interrupts = 0;
    const auto on_signal = [&](const cleanup::Cleanup& cleanup, const os::Signal& signal) {
        constexpr unsigned enough = 3; // the third Ctrl+C gives the prompt back, and the rest to the guardian
        const bool typed = signal.number == SIGINT && signal.from_kernel;
        interrupts += typed ? 1 : 0;
        // Who reads it has perhaps ended the command by Ctrl+C, so it is not said which one this is.
        m_run.narrator.on_signal(cleanup, signal,
                                 typed && m_guardian.is_there() ? "Ctrl+C twice more gives the prompt back" : "");
        if (typed && interrupts >= enough) {
            hand_over(cleanup);
        }
    };
    return cleanup::run_to_end(cleanup_means(on_signal), end.ending.result, cleanup_settings());
}

// The last holder of a lock, on whatever machine, has not cleaned up. That is done before anything else, by our own
// words; what fails of it stays registered like any cleanup of ours. Returned is what keeps the run from beginning;
// then it is over.
std::optional<plan::RunEnd> Supervisor::clean_up_for_last_holder(std::size_t& failed) {
    const auto is_unclean = [](const engine::HeldLock& lock) { return !lock.unclean.empty(); };
    if (m_run.keeper == nullptr || std::ranges::none_of(m_run.keeper->held(), is_unclean) ||
        std::ranges::none_of(m_run.plan.steps, &plan::Step::anywhere)) {
        return std::nullopt;
    }
    for (const plan::Step& step : m_run.plan.steps) {
        if (step.anywhere) {
            m_run.stack.push({.kind = plan::Cleanup::Kind::command, .text = step.text});
        }
    }
    cleanup::tell_ending(m_run.environment, {plan::Result::lost, 128 + SIGKILL, SIGKILL}, plan::Actor::next_holder,
                         lock_state());
    int told = 0;
    const auto on_signal = [&](const cleanup::Cleanup& cleanup, const os::Signal& signal) {
        m_run.narrator.on_signal(cleanup, signal);
        told = told == 0 && os::means_stop(signal.number) ? signal.number : told;
    };
    const cleanup::Means means = cleanup_means(on_signal);
    failed = cleanup::run_all(means, plan::Result::lost, cleanup_settings());
    std::optional<plan::RunEnd> end;
    if (told != 0) {
        end = plan::stopped_by(told);
    } else if (failed > 0 && m_run.plan.strict) {
        m_run.narrator.failed("not started", {}, "what the last holder of the lock left could not be cleaned up");
        end = {{plan::Result::not_started, plan::failed_cleanup_status, 0}, {plan::failed_cleanup_status, 0}};
    }
    if (end) { // how it ended is not written: what has failed is tried again as it was, for somebody who was lost
        end->begun = false;
        failed += cleanup::run_to_end(means, plan::Result::lost, cleanup_settings());
    }
    for (const char* const variable :
         {"FINALLY_RUN_RESULT", "FINALLY_RUN_EXIT_CODE", "FINALLY_RUN_SIGNAL", "FINALLY_RUN_BY"}) {
        m_run.environment.remove(variable); // not for the steps
    }
    return end;
}

plan::RunEnd Supervisor::run_steps() {
    // Elsewhere nobody is known to signal more than one process, and it would cost a fork(2).
    std::optional<supervise::Sentinel> sentinel;
    if (m_shares_group || os::in_ci()) {
        using Place = supervise::Sentinel::Place;
        sentinel.emplace(m_shares_group ? Place::our_group : Place::own_group, m_run_id, m_main_args);
    }
    Steps program(m_run, m_shares_group, sentinel ? &*sentinel : nullptr,
                  m_service_output ? &*m_service_output : nullptr);
    return run_program(program, m_run.stack, m_run.narrator);
}

plan::ExitStatus Supervisor::run() {
    m_run.environment.detach(); // the guardian blanks its envp
    const auto kin = os::orphans_are_reaped() ? Guardian::Kin::nobodys : Guardian::Kin::child;
    m_guardian.start(kin, [this](std::string_view reason) {
        m_run.narrator.failed("guardian cannot be replaced", "after a kill -9 the next run or --recover cleans up",
                              reason);
    });
    try {
        constexpr int of_an_end = 4; // two pipes at once: a child's report, a removal's result
        os::require_descriptors(of_an_end, m_run.stack.file().fd());
        m_run.stack.file().publish();
    } catch (...) {
        m_guardian.dismiss();
        static_cast<void>(m_run.stack.file().remove());
        throw;
    }
    if (!m_run.plan.report.empty()) {
        m_run.stack.record(journal::ReportWanted{std::filesystem::absolute(m_run.plan.report).native(),
                                                 {m_run.plan.command.begin(), m_run.plan.command.end()}});
    }
    m_guardian.await_apart();
    std::size_t failed = 0;
    const auto refused = clean_up_for_last_holder(failed);
    if (m_run.keeper != nullptr && !refused) { // until now the engine says who has left what is there
        m_run.keeper->begin(m_holder);
    }
    const plan::RunEnd end = refused ? *refused : run_steps();
    failed += refused ? 0 : run_cleanups(end);
    if (failed > 0 || m_run.stack.is_remembered()) {
        rescue::make_room(m_run.stack);
    }
    // From here on there is nothing to take over. The guardian's end takes 0.1 ms and more, for which neither the rest
    // nor the next holder of the locks has to wait.
    m_guardian.kill();
    m_run.narrator.output_ends(m_run.output, failed, m_run.stack);
    m_run.narrator.write_report(end.ending);
    give_back();
    lock::release(m_locks);
    m_guardian.dismiss();
    return m_run.plan.strict && (failed > 0 || !m_run.stack.is_complete()) ? end.status.with_failed_cleanup()
                                                                           : end.status;
}

} // namespace finally_run::run
