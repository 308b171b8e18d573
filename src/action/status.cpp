#include "action/status.hpp"

#include "action/all_users.hpp"
#include "action/locks_in_use.hpp"
#include "journal/ended.hpp"
#include "journal/file.hpp"
#include "journal/leftover.hpp"
#include "journal/origin.hpp"
#include "journal/runs.hpp"
#include "journal/state.hpp"
#include "lock/holder.hpp"
#include "os/boot.hpp"
#include "os/error.hpp"
#include "os/process.hpp"
#include "os/state_dir.hpp"
#include "os/whoami.hpp"
#include "report/call.hpp"
#include "report/ended.hpp"
#include "report/run_lock.hpp"
#include "report/status.hpp"
#include "report/status_locks.hpp"
#include "report/text.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace finally_run::action {

namespace {

using report::RunStatus;

RunStatus::State state_of(const journal::State& state, bool alive) {
    if (!alive) {
        return state.has_failed() ? RunStatus::State::failed : RunStatus::State::unfinished;
    }
    if (state.taken_over || state.handed_over) {
        return RunStatus::State::finishing;
    }
    if (state.ending) {
        return RunStatus::State::cleaning_up;
    }
    // Between its start and the command a service is awaited.
    const bool setup = state.step ? state.step->what == journal::Started::What::setup : !state.services.empty();
    return setup ? RunStatus::State::setup : RunStatus::State::running;
}

// The words after `sh -c`, as far as the process has not become another program.
std::string setup_text(const os::ProcessInfo& process) {
    constexpr std::string_view shell = "/bin/sh -c ";
    const std::string words = os::command_line(process);
    return words.starts_with(shell) ? words.substr(shell.size()) : words;
}

// The service that is awaited or stopped.
std::optional<journal::Started> service_at_work(const journal::State& state) {
    const auto at = state.ending && !state.stack.empty()
                        ? std::ranges::find(state.services, state.stack.back().id, &journal::Started::cleanup)
                        : state.services.end() - (state.services.empty() ? 0 : 1);
    return at != state.services.end() ? std::optional(*at) : std::nullopt;
}

void tell_process(const journal::Started& step, RunStatus& run) {
    run.step_pid = step.process.pid;
    const auto age = std::chrono::nanoseconds(os::boot_nanoseconds() - step.process.boot_nanoseconds);
    run.step_started = std::chrono::system_clock::now() - age;
}

// What it is at, for how long, and whether it was suspended. Returns who is at work, if it is here.
std::optional<os::ProcessInfo> describe_step(const journal::State& state, const journal::Origin& origin,
                                             RunStatus& run) {
    const bool in_setup = run.state == RunStatus::State::setup;
    const auto service = state.cleaning || state.step ? std::nullopt : service_at_work(state);
    const auto& step = state.cleaning ? state.cleaning : state.step ? state.step : service;
    const bool here = origin.same_host && origin.same_boot && origin.pids == journal::Pids::same;
    const auto process = here && step ? os::running(step->process.pid, step->process.boot_nanoseconds) : std::nullopt;
    const auto stop = std::ranges::find(state.stack, service ? service->cleanup : 0, &plan::Cleanup::id);
    if (service && stop != state.stack.end()) {
        run.current = RunStatus::Step{"service", stop->text};
    } else if (in_setup) {
        run.current = RunStatus::Step{"setup", process ? setup_text(*process) : ""};
    }
    auto worker = here ? os::read_process(state.at_work()) : std::nullopt;
    if (worker && worker->state == 'T') {
        run.state = RunStatus::State::suspended;
    }
    if (!process) {
        return worker;
    }
    tell_process(*step, run);
    if (process->state == 'T' && (in_setup || run.state == RunStatus::State::running)) {
        run.state = RunStatus::State::suspended;
    }
    return worker;
}

// Of a run that nobody works on any more: what it had begun and what goes on without it.
void describe_rest(const journal::State& state, const journal::Origin& origin, RunStatus& run) {
    const auto step = journal::living_step(state, origin);
    const auto process =
        step ? os::running(step->process.pid, step->process.boot_nanoseconds) : std::optional<os::ProcessInfo>();
    if (!process) {
        return;
    }
    tell_process(*step, run);
    if (step->what == journal::Started::What::command) {
        return;
    }
    run.current = RunStatus::Step{std::string(journal::name_of(step->what)), {}};
    if (step->what == journal::Started::What::setup) {
        run.current->text = setup_text(*process);
    } else if (const auto cleanup = std::ranges::find(state.stack, step->cleanup, &plan::Cleanup::id);
               cleanup != state.stack.end()) {
        run.current->text = cleanup->text;
    }
}

// Of who has the lock of a journal, where the pids in it mean nothing to us; 0: it cannot be seen from here.
pid_t pid_here(const std::filesystem::path& journal) {
    struct stat info = {};
    if (journal::wherever_it_is(journal, [&](const char* place) { return ::stat(place, &info); }) < 0) {
        return 0;
    }
    const auto users = lock::Users().of(info.st_dev, info.st_ino);
    const auto seen =
        std::ranges::find_if(users, [](const lock::User& user) { return !user.waits && !user.who.command.empty(); });
    return seen != users.end() ? seen->who.pid : 0;
}

// A run, and the locks that it has, if it is alive here.
struct Seen {
    RunStatus run;
    std::optional<LiveRun> live;
};

Seen describe(const journal::State& state, const journal::Here& here, bool alive,
              const std::filesystem::path& journal) {
    const std::filesystem::path state_dir = journal::state_dir_of(journal);
    const journal::Origin origin = journal::origin_of(state.opened, here);
    const bool foreign_pids = origin.pids == journal::Pids::others;
    RunStatus run;
    run.id = state.opened.run_id;
    run.state = state_of(state, alive);
    if (alive) {
        run.pid = foreign_pids ? pid_here(journal) : state.at_work();
        run.other_namespace = foreign_pids && run.pid == 0;
    }
    run.started = std::chrono::system_clock::from_time_t(state.opened.started);
    for (const journal::LockId& lock : state.opened.locks) {
        run.locks.push_back({name_of(lock, state_dir), lock.shared});
    }
    report::add_engines(run.locks, state, alive);
    for (auto cleanup = state.stack.rbegin(); cleanup != state.stack.rend(); ++cleanup) {
        run.cleanups.push_back({std::string(plan::name_of(cleanup->kind)), cleanup->text});
        if (alive && state.cleaning && state.cleaning->cleanup == cleanup->id) {
            run.current = run.cleanups.back();
        }
    }
    std::for_each(state.failures.rbegin(), state.failures.rend(), [&](const journal::Failure& failure) {
        const journal::CleanupFailed& how = failure.how;
        run.failures.push_back({.step = {std::string(plan::name_of(failure.cleanup.kind)), failure.cleanup.text},
                                .error = how.error,
                                .exit_code = how.exit_code,
                                .signal = how.signal,
                                .attempts = how.attempts,
                                .time = std::chrono::system_clock::from_time_t(how.time),
                                .by = std::string(plan::name_of(failure.by))});
    });
    auto worker = alive ? describe_step(state, origin, run) : std::nullopt;
    if (!alive) {
        describe_rest(state, origin, run);
    }
    run.command = state.opened.command;
    run.directory = state.opened.place.path;
    run.job_url = state.opened.job_url;
    run.host = state.opened.host ? state.opened.host->name : "";
    run.elsewhere = !origin.same_host;
    Seen seen{std::move(run), {}};
    if (alive && origin.same_host && origin.same_boot) {
        const pid_t supervisor = foreign_pids ? seen.run.pid : state.opened.supervisor.pid;
        seen.live = LiveRun{state.opened.run_id, state.opened.command, supervisor,
                            seen.run.pid,        std::move(worker),    state.opened.locks};
    }
    return seen;
}

// nullopt: it is over, or nobody is there to finish what never began.
std::optional<Seen> look_up(const journal::Item& item, const journal::Here& here) {
    bool alive = false;
    journal::State state;
    try {
        journal::File file = journal::File::open_to_read(item.path);
        alive = file.is_locked_by_other();
        state.apply(file.read()); // after the look at the lock: what is not alive then does not change any more
        if (state.opened.run_id.empty()) {
            throw journal::Damaged(std::string(journal::no_first_record));
        }
    } catch (const std::exception& failure) {
        if (!journal::is_there(item.path)) {
            return std::nullopt; // it has ended meanwhile
        }
        RunStatus unread;
        unread.id = item.id;
        unread.state = RunStatus::State::damaged;
        unread.error = os::text_of(failure);
        if (dynamic_cast<const std::bad_alloc*>(&failure) != nullptr) { // which is no fault of the journal
            unread.state = alive ? RunStatus::State::running : RunStatus::State::unfinished;
        }
        return Seen{std::move(unread), {}};
    }
    if ((state.over && state.failures.empty()) || (!alive && !state.begun)) {
        return std::nullopt;
    }
    return describe(state, here, alive, item.path);
}

std::vector<report::EndedRun> runs_that_ended(const std::filesystem::path& state_dir) {
    std::vector<report::EndedRun> ended;
    for (const journal::EndedItem& item : journal::ended_items(state_dir)) {
        const auto state = journal::read_state(item.path);
        if (!state) {
            continue;
        }
        ended.push_back(report::ended_run(*state));
        ended.back().ended = item.time;
        if (const auto log = journal::log_beside(item.path); ::access(log.c_str(), F_OK) == 0) {
            ended.back().log = log.native();
        }
    }
    return ended;
}

} // namespace

report::Place look(const std::filesystem::path& state_dir, std::string user) {
    report::Place place;
    place.looked = {state_dir.native(), std::move(user), os::host_name(), {}};
    std::vector<LiveRun> live;
    if (journal::Runs::exist(state_dir)) {
        const journal::Runs runs(state_dir);
        const journal::Here here;
        for (const journal::Item& item : runs.items()) {
            auto seen = look_up(item, here);
            if (!seen) {
                continue;
            }
            if (item.has_log) {
                seen->run.log = runs.log_of(item.id).native();
            }
            place.runs.push_back(std::move(seen->run));
            if (seen->live) {
                live.push_back(std::move(*seen->live));
            }
        }
    }
    place.ended = runs_that_ended(state_dir);
    place.locks = locks_in_use(state_dir, live);
    return place;
}

std::string text_of(const report::Place& place, const plan::Status& request, std::string_view program) {
    // Whoever reads a pipe or asks for all of it gets all of it.
    const bool whole = request.verbose || ::isatty(STDOUT_FILENO) != 1;
    const std::size_t columns = whole ? report::uncut : report::columns_of(STDOUT_FILENO, 100);
    const auto now = std::chrono::system_clock::now();
    std::string text = report::head_of(place.looked);
    if (!place.error.empty()) {
        return text + report::shown(place.error) + '\n';
    }
    text += place.runs.empty() ? report::nothing_found() : report::to_table(place.runs, now, columns, program);
    for (const std::string& part : {report::lock_lines(place.locks, now, columns),
                                    report::ended_lines(place.ended, now, columns, request.verbose)}) {
        text += part.empty() ? part : '\n' + part;
    }
    return text;
}

std::string status(const plan::Status& request) {
    if (request.all_users) {
        return status_of_all_users(request);
    }
    report::Place place = look(os::state_dir_path(request.state_dir), os::user_name());
    place.looked.strange_variables = request.strange_variables;
    return request.json ? report::to_json(place.runs, place.looked, place.ended, place.locks)
                        : text_of(place, request, report::call_for(request.state_dir));
}

} // namespace finally_run::action
