#include "run/recovery.hpp"

#include "cleanup/fresh_directory.hpp"
#include "journal/file.hpp"
#include "journal/state.hpp"
#include "lock/waiter.hpp"
#include "os/boot.hpp"
#include "os/error.hpp"
#include "os/place.hpp"
#include "os/process.hpp"
#include "os/state_dir.hpp"
#include "report/messages.hpp"
#include "run/first_record.hpp"
#include "run/leftover.hpp"
#include "run/take_over.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <optional>
#include <sys/file.h>
#include <sys/prctl.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

namespace finally_run::run {

namespace {

// The narrator's ears, and a memory for the first request to stop: it aborts no cleanup, but what was to follow.
class Listener : public cleanup::Observer {
public:
    explicit Listener(Narrator& narrator) : m_narrator(narrator) {}

    void begin(const cleanup::Cleanup& cleanup) override { m_narrator.begin(cleanup); }
    void end(const cleanup::Cleanup& cleanup, const cleanup::Outcome& outcome, plan::Duration took) override {
        m_narrator.end(cleanup, outcome, took);
    }
    void on_signal(const cleanup::Cleanup& cleanup, const os::Signal& signal) override {
        m_narrator.on_signal(cleanup, signal);
        if (m_stop == 0 && os::default_action(signal.number) == os::DefaultAction::end) {
            m_stop = signal.number;
        }
    }
    void moved(const cleanup::Cleanup& cleanup, std::string_view reason) override { m_narrator.moved(cleanup, reason); }
    [[nodiscard]] int stop() const { return m_stop; }

private:
    Narrator& m_narrator;
    int m_stop = 0;
};

struct Finished {
    std::size_t failed = 0; // cleanups
    int stop = 0;           // the signal that told us to stop meanwhile
};

// Runs what is left of it and takes its journal away.
Finished finish(Leftover leftover, const journal::Runs& runs, plan::Verbosity verbosity, os::Signals& signals) {
    const journal::Opened opened = leftover.state.opened;
    const plan::Plan plan = plan_of(opened, verbosity);
    std::vector<char*> entries;
    std::vector<std::string> kept = opened.environment;
    for (std::string& entry : kept) {
        entries.push_back(entry.data());
    }
    entries.push_back(nullptr);
    Environment environment(entries.data());
    environment.set("FINALLY_RUN_ID", opened.run_id);
    environment.set("FINALLY_RUN_JOURNAL", leftover.file.path().native());
    Narrator narrator(plan, environment.block(), opened.run_id);
    Listener listener(narrator);
    cleanup::Output output(runs.log_of(opened.run_id));
    os::Events events(signals, {});

    JournalStack stack(std::move(leftover.file), std::move(leftover.state),
                       [&](std::string_view what, std::string_view reason) { narrator.journal_trouble(what, reason); });
    os::Fd directory = os::open_place(opened.place, opened.boot_id == os::boot_id());
    std::optional<cleanup::FreshDirectory> fresh;
    if (!directory) {
        narrator.noted(opened.place.path, os::error_text(errno), "its cleanups run in an empty directory");
        fresh.emplace();
    }
    const Orphan orphan{.stack = stack,
                        .plan = plan,
                        .environment = environment,
                        .output = output,
                        .directory = fresh ? fresh->fd() : directory.get(),
                        .mask = opened.mask};
    const TakenOver end = take_over(plan::Actor::recovery, orphan, events, narrator, listener);
    if (const auto log = output.finish(end.failed > 0); !log.empty()) {
        narrator.failed("output of the cleanups", log.native());
    }
    return {end.failed, listener.stop()};
}

bool is_same(const journal::LockId& theirs, const lock::LockFile& ours) {
    return theirs.device == ours.device && theirs.inode == ours.inode;
}

// Those that need something of ours: the file, or, after a reboot or when it was made anew, what is at its path now.
bool concerns(const journal::Opened& opened, const lock::Held& held) {
    return std::ranges::any_of(opened.locks, [&](const journal::LockId& theirs) {
        return std::ranges::any_of(held, [&](const lock::LockFile& ours) {
            return is_same(theirs, ours) || theirs.path == absolute_path_of(ours);
        });
    });
}

// We hold the lock that it held, so it cannot be running: whoever has its journal is finishing it.
bool must_be_dead(const journal::Opened& opened, const lock::Held& held) {
    return std::ranges::any_of(opened.locks, [&](const journal::LockId& theirs) {
        return std::ranges::any_of(
            held, [&](const lock::LockFile& ours) { return is_same(theirs, ours) && !(theirs.shared && ours.shared); });
    });
}

// The locks of a leftover that we do not hold anyway. Nobody waits here: in this order two could wait for each other,
// and whoever has one of them must finish the same leftover first, so waits for us.
lock::Held take_others(const journal::Opened& opened, const lock::Held& held) {
    lock::Held others;
    for (const journal::LockId& theirs : opened.locks) {
        if (std::ranges::any_of(held, [&](const lock::LockFile& ours) { return is_same(theirs, ours); })) {
            continue;
        }
        try {
            lock::LockFile file = lock::open_lock_file({theirs.path, theirs.shared}, {});
            if (::flock(file.fd.get(), (theirs.shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0) {
                others.push_back(std::move(file));
            }
        } catch (const std::system_error&) { // its directory is gone: then nobody has it
        }
    }
    return others;
}

// Waits until whoever finishes the run at this path is done or gone. Returns the signal that ended the wait, else 0.
int wait_for_other(const std::filesystem::path& path, os::Signals& signals) {
    std::optional<journal::File> file;
    try {
        file = journal::File::open(path);
    } catch (const std::system_error&) { // it has just been finished
        return 0;
    }
    os::Events events(signals, {});
    lock::Waiter waiter(file->fd(), LOCK_EX);
    for (;;) {
        const os::Event event = events.wait(std::nullopt, waiter.ready_fd());
        if (std::holds_alternative<os::Readable>(event)) {
            return 0;
        }
        const auto* const signal = std::get_if<os::Signal>(&event);
        if (signal != nullptr && os::default_action(signal->number) == os::DefaultAction::end) {
            return signal->number;
        }
    }
}

void tell(const journal::Item& item, const journal::Runs& runs, Narrator& narrator) {
    try {
        const Found found = look_at(item.path);
        if (const auto* const leftover = std::get_if<Leftover>(&found)) {
            narrator.noted("run " + item.id + " was left unfinished", leftover->state.opened.command,
                           "finally-run --recover finishes it");
        } else if (const auto* const damaged = std::get_if<Unreadable>(&found)) {
            narrator.failed("run " + item.id + " was left unfinished and cannot be recovered", {}, damaged->reason);
        } else {
            return;
        }
        runs.mark_told(item);
    } catch (const std::exception&) { // it is not our run
    }
}

// What a person asked for by id, and what is to be said to him.
class Asker {
public:
    explicit Asker(plan::Verbosity verbosity) : m_messages(verbosity) {}

    [[nodiscard]] report::Messages& messages() { return m_messages; }

    // No run at all.
    Finish nothing_there(const std::vector<std::string>& ids) {
        for (const std::string& id : ids) {
            m_messages.error("no such run", id);
        }
        if (ids.empty()) {
            m_messages.note("nothing to recover");
        }
        return {ids.empty() ? 0 : own_failure_status, 0};
    }

    // All if no id is given.
    std::vector<journal::Item> asked_for(const std::vector<std::string>& ids, const journal::Runs& runs,
                                         Finish& worst) {
        std::vector<journal::Item> items = runs.items();
        if (ids.empty()) {
            return items;
        }
        std::vector<journal::Item> found;
        for (const std::string& id : ids) {
            const auto item = std::ranges::find(items, id, &journal::Item::id);
            if (item != items.end()) {
                found.push_back(*item);
            } else {
                m_messages.error("no such run", id);
                worst = {own_failure_status, 0};
            }
        }
        return found;
    }

private:
    report::Messages m_messages;
};

// Those that the run held, as the run took them: nobody else may be between its cleanups and the end of its lock.
std::variant<lock::Held, Finish> take_locks_of(const journal::Opened& opened, const plan::Recover& request,
                                               os::Signals& signals, Asker& asker) {
    std::vector<plan::LockRequest> wanted;
    for (const journal::LockId& lock : opened.locks) {
        wanted.push_back({lock.path, lock.shared});
    }
    try {
        os::Events events(signals, {});
        const auto waiting = [&](const std::string& name, const std::optional<lock::Holder>& holder, plan::Duration) {
            asker.messages().note("waiting for lock", name, holder ? holder->command : "");
            return false;
        };
        auto outcome = lock::acquire(wanted, {}, request.lock_wait, events, waiting);
        if (const auto* const interrupted = std::get_if<lock::Interrupted>(&outcome)) {
            return Finish{128 + interrupted->signal, interrupted->signal};
        }
        if (const auto* const not_had = std::get_if<lock::NotHad>(&outcome)) {
            asker.messages().error("run " + opened.run_id + " cannot be recovered", not_had->name,
                                   "its lock is not free");
            return Finish{plan::Plan{}.conflict_exit_code, 0};
        }
        return std::get<lock::Held>(std::move(outcome));
    } catch (const std::system_error& error) {
        const int code = error.code().value();
        if (code == ENOENT || code == ENOTDIR) { // nobody can have it any more
            asker.messages().note("recovering without a lock", {}, error.what());
            return lock::Held{};
        }
        asker.messages().error("run " + opened.run_id + " cannot be recovered", {}, error.what());
        return Finish{own_failure_status, 0};
    }
}

// False also if it cannot be seen from here.
bool supervisor_is_gone(const journal::Opened& opened) {
    if (opened.boot_id != os::boot_id() || opened.pid_namespace != os::pid_namespace()) {
        return false;
    }
    const auto process = os::read_process(opened.supervisor.pid);
    return !process || process->ended || os::start_against(*process, opened.supervisor.boot_nanoseconds) > 0;
}

struct Taken {
    lock::Held locks;
    Found found;
};

// Waits for a guardian that is at work on it, and for a child that is about to become a step. Finish: we are told to
// stop, or the locks of the run cannot be had.
std::variant<Taken, Finish> take(const journal::Item& item, const plan::Recover& request, os::Signals& signals,
                                 Asker& asker) {
    for (;;) {
        const auto state = read_state(item.path);
        Taken taken{{}, look_at(item.path)};
        if (!state && std::holds_alternative<Leftover>(taken.found)) {
            continue; // it could be read a moment later, and its locks are to be taken
        }
        if (!state || (!std::holds_alternative<Leftover>(taken.found) && !std::holds_alternative<Alive>(taken.found))) {
            return taken;
        }
        if (std::holds_alternative<Alive>(taken.found)) {
            if (!supervisor_is_gone(state->opened)) {
                return taken;
            }
            if (const int signal = wait_for_other(item.path, signals); signal != 0) {
                return Finish{128 + signal, signal};
            }
            continue;
        }
        if (state->opened.locks.empty()) {
            return taken;
        }
        taken.found = Gone{}; // its lock comes after those of the run
        auto locks = take_locks_of(state->opened, request, signals, asker);
        if (const auto* const refused = std::get_if<Finish>(&locks)) {
            return *refused;
        }
        taken.locks = std::get<lock::Held>(std::move(locks));
        taken.found = look_at(item.path);
        if (!std::holds_alternative<Alive>(taken.found)) {
            return taken;
        }
    }
}

} // namespace

int finish_runs_of(const lock::Held& locks, const journal::Runs& runs, plan::Verbosity verbosity, os::Signals& signals,
                   Narrator& narrator) {
    for (const journal::Item& item : runs.items()) {
        const auto state = locks.empty() ? std::nullopt : read_state(item.path);
        if (!state || !concerns(state->opened, locks)) {
            if (!item.told) {
                tell(item, runs, narrator);
            }
            continue;
        }
        Found found = look_at(item.path);
        while (std::holds_alternative<Alive>(found) && must_be_dead(state->opened, locks)) {
            if (const int signal = wait_for_other(item.path, signals); signal != 0) {
                return signal;
            }
            found = look_at(item.path);
        }
        if (auto* const leftover = std::get_if<Leftover>(&found)) {
            const lock::Held others = take_others(state->opened, locks);
            if (const int signal = finish(std::move(*leftover), runs, verbosity, signals).stop; signal != 0) {
                return signal;
            }
        }
    }
    return 0;
}

Finish recover(const plan::Recover& request, os::Signals& signals) {
    Asker asker(request.verbosity);
    const auto state_dir = os::state_dir_path(request.state_dir);
    if (!journal::Runs::exist(state_dir)) {
        return asker.nothing_there(request.runs);
    }
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); // the orphans of a cleanup are ours to find and reap
    const journal::Runs runs(state_dir);
    Finish worst;
    bool any = false;
    for (const journal::Item& item : asker.asked_for(request.runs, runs, worst)) {
        auto taken = take(item, request, signals, asker);
        if (const auto* const refused = std::get_if<Finish>(&taken)) {
            worst = *refused;
            if (refused->signal != 0) {
                return *refused;
            }
            continue;
        }
        Found& found = std::get<Taken>(taken).found;
        if (auto* const leftover = std::get_if<Leftover>(&found)) {
            any = true;
            const Finished finished = finish(std::move(*leftover), runs, request.verbosity, signals);
            if (finished.stop != 0) {
                return {128 + finished.stop, finished.stop};
            }
            worst = finished.failed > 0 ? Finish{failed_cleanup_status, 0} : worst;
        } else if (const auto* const unreadable = std::get_if<Unreadable>(&found)) {
            asker.messages().error("run " + item.id + " cannot be recovered", {}, unreadable->reason);
            worst = {own_failure_status, 0};
        } else if (std::holds_alternative<Alive>(found) && !request.runs.empty()) {
            asker.messages().error("run " + item.id + " is alive", {}, "finally-run --status shows it");
            worst = {own_failure_status, 0};
        }
    }
    if (!any && worst.status == 0 && request.runs.empty()) {
        asker.messages().note("nothing to recover");
    }
    return worst;
}

Finish forget(const plan::Forget& request) {
    Asker asker(request.verbosity);
    const auto state_dir = os::state_dir_path(request.state_dir);
    if (!journal::Runs::exist(state_dir)) {
        return asker.nothing_there(request.runs);
    }
    const journal::Runs runs(state_dir);
    Finish worst;
    for (const journal::Item& item : asker.asked_for(request.runs, runs, worst)) {
        const Found found = look_at(item.path);
        if (std::holds_alternative<Alive>(found)) {
            asker.messages().error("run " + item.id + " is alive", {}, "only what is left over can be forgotten");
            worst = {own_failure_status, 0};
            continue;
        }
        if (const auto* const leftover = std::get_if<Leftover>(&found)) {
            const auto& stack = leftover->state.stack;
            for (auto cleanup = stack.rbegin(); cleanup != stack.rend(); ++cleanup) {
                asker.messages().note("forgotten", plan::name_of(cleanup->kind), cleanup->text);
            }
        } else if (const auto* const unreadable = std::get_if<Unreadable>(&found)) {
            asker.messages().note("forgotten", "run " + item.id, unreadable->reason);
        }
        if (::unlink(item.path.c_str()) < 0 && errno != ENOENT) {
            asker.messages().error("run " + item.id + " cannot be forgotten", {}, os::error_text(errno));
            worst = {own_failure_status, 0};
        }
        ::unlink(runs.log_of(item.id).c_str());
    }
    return worst;
}

} // namespace finally_run::run
