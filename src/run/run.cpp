#include "run/run.hpp"

#include "cleanup/executor.hpp"
#include "cleanup/remove_tree.hpp"
#include "lock/lock.hpp"
#include "os/error.hpp"
#include "os/state_dir.hpp"
#include "report/messages.hpp"
#include "run/environment.hpp"
#include "run/narrator.hpp"
#include "run/program.hpp"
#include "run/watch.hpp"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <sys/prctl.h>
#include <system_error>
#include <variant>

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
    auto outcome = lock::acquire(plan.locks, state_dir, plan.lock_wait, events, while_waiting);
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

ProgramEnd run_program(Program& program, Narrator& narrator) {
    try {
        return program.run();
    } catch (const std::exception& error) {
        say_why(narrator, error);
        return {own_failure, {own_failure_status, 0}};
    }
}

Finish run_with_locks(const plan::Plan& plan, Environment& environment, const std::string& run_id,
                      const std::filesystem::path& state_dir, os::Events& events, Narrator& narrator) {
    auto locks = take_locks(plan, state_dir, events, narrator);
    if (const auto* const end = std::get_if<ProgramEnd>(&locks)) {
        narrator.write_report(end->ending);
        return end->finish;
    }
    cleanup::Output output(state_dir, run_id);
    cleanup::MemoryStack stack;
    Program program(plan, os::has_controlling_terminal(), stack, output, environment, events, narrator);
    const ProgramEnd end = run_program(program, narrator);

    environment.set_ending(end.ending);
    const cleanup::Settings settings{{plan.cleanup_timeout, plan.grace}, plan.cleanup_retries, environment.block()};
    const std::size_t failed =
        end.begun ? cleanup::run_all(stack, end.ending.result, settings, output, events, narrator) : 0;
    if (const auto log = output.finish(failed > 0); !log.empty()) {
        narrator.failed("output of the cleanups", log.native());
    }
    narrator.write_report(end.ending);
    return plan.strict && failed > 0 ? end.finish.with_failed_cleanup() : end.finish;
}

} // namespace

Finish run(const plan::Plan& plan, char* const* environment_of_caller, os::Signals& signals) {
    const std::string run_id = new_run_id();
    Environment environment(environment_of_caller);
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
        return run_with_locks(plan, environment, run_id, state_dir, events, narrator);
    } catch (const std::exception& error) {
        say_why(narrator, error);
        narrator.write_report(own_failure);
        return {own_failure_status, 0};
    }
}

void say_error(std::string_view message) { report::Messages(plan::Verbosity::normal).error(message); }

} // namespace finally_run::run
