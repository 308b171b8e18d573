#include "rescue/take_over.hpp"

#include "cleanup/command.hpp"
#include "journal/leftover.hpp"
#include "os/boot.hpp"
#include "os/exit_info.hpp"
#include "rescue/inner_runs.hpp"
#include "rescue/leftovers.hpp"
#include "rescue/lock_loss.hpp"
#include "supervise/aftermath.hpp"
#include "supervise/survivors.hpp"
#include "supervise/unseen.hpp"

#include <algorithm>
#include <chrono>
#include <compare>
#include <csignal>
#include <exception>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace finally_run::rescue {

namespace {

// Nobody saw how the command ended. A shell shows 137 for what was killed by SIGKILL, as the supervisor most likely
// was.
constexpr plan::Ending lost{plan::Result::lost, 128 + SIGKILL, SIGKILL};

// Where the run was: the journal says more as we go on.
struct Found {
    std::optional<journal::Started> step;
    std::optional<plan::Ending> ending;
    std::optional<journal::Started> cleaning;
    bool handed_over;
};

using Waited = supervise::Aftermath::Waited;

// Whether it is there since the run began, and so at once: the numbers of processes are still their own.
bool stands_by(plan::Actor by) { return by == plan::Actor::guardian || by == plan::Actor::keeper; }

// From the end of a process to its reaping by whoever has adopted it: up to a second under some inits, never under some
// of containers.
constexpr auto reaping_time = std::chrono::seconds(3);

// How a cleanup of the dead run ended. `status`: nullopt where nothing tells, or if it had to be stopped.
struct End {
    bool given_up = false;
    std::optional<os::WaitStatus> status = {};
};

// To be opened before it has been reaped. Empty if it is gone, or if that cannot be told.
// The pidfd of clone(2) (CLONE_PIDFD) is the supervisor's and goes with it: to hand each one to the guardian in time
// costs every cleanup a sendmsg(2), a recvmsg(2) and a close(2). So who was reaped before us is run again.
os::Fd pidfd_of(const journal::Started& cleaning, journal::Pids pids) {
    os::Fd pidfd = journal::can_be_told(pids, cleaning.process) ? os::open_pidfd(cleaning.process.pid) : os::Fd();
    // Read after it was opened: it is not the pidfd of somebody who has got the pid since.
    const auto process = pidfd ? os::read_process(cleaning.process.pid) : std::nullopt;
    const bool is_it = process && std::is_lteq(os::start_against(*process, cleaning.process.boot_nanoseconds));
    return is_it ? os::moved_high(std::move(pidfd)) : os::Fd();
}

class Successor {
public:
    Successor(plan::Actor by, const DeadRun& dead_run, os::Events& events, report::Narrator& narrator)
        : m_by(by), m_dead_run(dead_run), m_events(events), m_narrator(narrator),
          m_opened(dead_run.stack.read_state().opened) {}

    // False: a recovery was told to stop while it waited, and gives up.
    [[nodiscard]] bool stop_step(const journal::Started& step);
    [[nodiscard]] bool stop_unknown_step();
    [[nodiscard]] End let_end(const journal::Started& cleaning, const os::Fd& pidfd);
    // A cleanup that has succeeded is not run again, nor is one that was handed over.
    void finish(const journal::Started& cleaning, const End& end, bool handed_over);
    std::size_t run_cleanups(const plan::Ending& ending);
    void finish_inner_runs();

    // The first request to stop that came meanwhile, 0 for none: it aborts no cleanup, but what was to follow.
    [[nodiscard]] int stop() const { return m_stop; }

private:
    // The step itself and its group, by the guardian alone: long after, the numbers may be somebody else's.
    void stop_unseen(const journal::Started& step);
    [[nodiscard]] std::string_view lock_state();
    void hear_request(int signal) { m_stop = m_stop == 0 ? signal : m_stop; }
    // What is left of a step.
    [[nodiscard]] supervise::Members members(const journal::Started& started, pid_t session, bool own_group,
                                             bool marked = true) const;
    [[nodiscard]] supervise::Aftermath aftermath(supervise::Members members);

    plan::Actor m_by;
    const DeadRun& m_dead_run;
    os::Events& m_events;
    report::Narrator& m_narrator;
    const journal::Opened m_opened;
    int m_stop = 0;
};

supervise::Members Successor::members(const journal::Started& started, pid_t session, bool own_group,
                                      bool marked) const {
    // Long after, a session or a group of that number may be somebody else's.
    const bool by_guardian = stands_by(m_by);
    auto survivors = std::make_shared<supervise::Survivors>(supervise::Survivors{
        .pid = started.process.pid,
        .boot_nanoseconds = started.process.boot_nanoseconds,
        .session = session,
        .mark = marked ? "FINALLY_RUN_ID=" + m_opened.run_id : std::string(), // what the command left has it too
        .alone_in_group = own_group && by_guardian,
    });
    const std::filesystem::path& journal = m_dead_run.stack.file().path();
    const bool in_cleanup = started.what == journal::Started::What::cleanup;
    return [survivors, journal, in_cleanup] {
        auto found = survivors->members();
        std::erase_if(found, [&](const os::ProcessInfo& process) {
            return in_cleanup ? is_guardian(process) : is_spared(process, journal);
        });
        return found;
    };
}

supervise::Aftermath Successor::aftermath(supervise::Members members) {
    return {m_events,
            {.members = std::move(members),
             .awaited = [this] { return guardians_at_work(m_dead_run.stack.file().path()); },
             .notify = [this](const supervise::Notice& notice) { m_narrator.noticed(notice); },
             .on_request =
                 [this](supervise::StopCause cause, int signal) {
                     if (cause != supervise::StopCause::signal && cause != supervise::StopCause::caller_gone) {
                         return false; // of no run that is over
                     }
                     hear_request(signal != 0 ? signal : SIGTERM);
                     return !stands_by(m_by);
                 }}};
}

bool Successor::stop_step(const journal::Started& step) {
    if (!journal::can_be_told(m_dead_run.origin.pids, step.process)) {
        return true;
    }
    if (stands_by(m_by) && !os::processes_are_visible()) {
        m_narrator.noticed({.what = supervise::Notice::What::unseen});
        stop_unseen(step);
        return true;
    }
    try {
        auto rest = aftermath(members(step, m_opened.session, m_opened.own_group));
        return rest.stop({.signal = m_opened.stop_signal}, os::deadline_after(m_opened.grace)) != Waited::given_up;
    } catch (const std::exception&) { // there is nothing left to look with, no memory say, and no words either
        if (!stands_by(m_by)) {
            throw;
        }
        stop_unseen(step);
        return true;
    }
}

void Successor::stop_unseen(const journal::Started& step) {
    const pid_t pid = step.process.pid;
    supervise::stop_unseen(m_opened.own_group ? -pid : pid, m_opened.stop_signal, os::deadline_after(m_opened.grace),
                           m_events);
}

// What there is no record of can still be found by the mark of the run.
bool Successor::stop_unknown_step() {
    constexpr pid_t nobody = std::numeric_limits<pid_t>::max();
    return stop_step({journal::Started::What::command, {nobody, m_opened.supervisor.boot_nanoseconds}, 0});
}

// A cleanup that still runs is not cut off: it may be in the middle of what must not be done by two at once.
End Successor::let_end(const journal::Started& cleaning, const os::Fd& pidfd) {
    if (!journal::can_be_told(m_dead_run.origin.pids, cleaning.process)) {
        return {};
    }
    if (stands_by(m_by) && !os::processes_are_visible()) {
        supervise::wait_unseen(-cleaning.process.pid, os::deadline_after(m_opened.cleanup_timeout), m_events);
        return {};
    }
    // On a terminal the supervisor's cleanups are in the session of the run, in groups of their own.
    const auto process = os::read_process(cleaning.process.pid);
    const bool lives = process && std::is_lteq(os::start_against(*process, cleaning.process.boot_nanoseconds));
    const bool on_terminal = lives ? process->session == m_opened.session : !m_opened.own_group;
    const auto all = members(cleaning, on_terminal ? m_opened.session : cleaning.process.pid, true, !on_terminal);
    auto itself = aftermath([all, pid = cleaning.process.pid] {
        auto found = all();
        std::erase_if(found, [pid](const os::ProcessInfo& one) { return one.pid != pid; });
        return found;
    });
    auto rest = aftermath(all);
    const os::Deadline deadline = os::deadline_after(m_opened.cleanup_timeout);
    Waited waited = itself.wait(deadline);
    if (waited == Waited::gone) {
        finish_inner_runs(); // which ends what they have left in the session
        waited = rest.wait(deadline);
    }
    switch (waited) {
    case Waited::gone:
        return {.status = os::exit_info(pidfd, os::deadline_after(reaping_time))};
    case Waited::given_up:
        return {.given_up = true};
    case Waited::deadline:
        break;
    }
    const Waited stopped = rest.stop({.signal = m_opened.stop_signal}, os::deadline_after(m_opened.grace));
    return {.given_up = stopped == Waited::given_up};
}

void Successor::finish(const journal::Started& cleaning, const End& end, bool handed_over) {
    cleanup::Stack& stack = m_dead_run.stack;
    const auto& registered = stack.read_state().stack;
    if (stack.read_state().stop_asked == cleaning.cleanup) { // it has failed, which is written when its turn comes
        return;
    }
    const auto at = std::ranges::find(registered, cleaning.cleanup, &plan::Cleanup::id);
    const auto age = std::chrono::nanoseconds(os::boot_nanoseconds() - cleaning.process.boot_nanoseconds);
    // One that took too long may have been told to end, and has failed however it did.
    const bool in_time = !m_opened.cleanup_timeout || age < *m_opened.cleanup_timeout;
    if (at == registered.end() || !end.status || !(handed_over || (end.status->success() && in_time))) {
        if (handed_over) {
            stack.record(journal::CleanupEnded{cleaning.cleanup, {}});
        }
        return;
    }
    cleanup::Outcome outcome;
    outcome.exit_code = end.status->shell_code();
    outcome.signal = end.status->signal();
    outcome.attempts = 1;
    outcome.error = cleanup::failure_of(*end.status);
    m_narrator.end(*at, outcome, age);
    stack.finished(*at, outcome);
}

// The value of FINALLY_RUN_LOCK.
std::string_view Successor::lock_state() {
    if (!m_dead_run.lock_loss) {
        return {};
    }
    // How it was lost is told once, and not to us if the supervisor has heard it. Who comes later has it anew.
    if (stands_by(m_by) && m_dead_run.stack.read_state().has_lost_lock()) {
        return "lost";
    }
    const auto loss = m_dead_run.lock_loss();
    if (loss) {
        note_loss(*loss, m_dead_run.stack, m_narrator);
    }
    return loss ? "lost" : "held";
}

std::size_t Successor::run_cleanups(const plan::Ending& ending) {
    for (const auto& [name, path] : m_dead_run.stack.read_state().variables()) {
        m_dead_run.environment.set(name, path);
    }
    cleanup::tell_ending(m_dead_run.environment, ending, m_by, lock_state());
    const plan::Plan& plan = m_dead_run.plan;
    const cleanup::Settings settings{.limits = {plan.cleanup_timeout, plan.grace},
                                     .retries = plan.cleanup_retries,
                                     .env = m_dead_run.environment.block(),
                                     .missing = m_dead_run.missing,
                                     .directory = m_dead_run.directory,
                                     .mask = m_dead_run.mask,
                                     .same_boot = m_dead_run.origin.same_boot,
                                     .pids = m_dead_run.origin.pids,
                                     .numbers_hold = stands_by(m_by)};
    const auto on_signal = [this](const cleanup::Cleanup& cleanup, const os::Signal& signal) {
        m_narrator.on_signal(cleanup, signal);
        if (os::default_action(signal.number) == os::DefaultAction::end) {
            hear_request(signal.number);
        }
    };
    const auto look_at_locks = [this] { m_dead_run.environment.set(cleanup::lock_variable, lock_state()); };
    const auto inner_guardians = [&] { return guardians_at_work(m_dead_run.stack.file().path()); };
    return cleanup::run_to_end({m_dead_run.stack, m_dead_run.output, m_events, m_narrator, on_signal, look_at_locks,
                                inner_guardians, [this] { finish_inner_runs(); }},
                               ending.result, settings);
}

void Successor::finish_inner_runs() {
    rescue::finish_inner_runs(m_dead_run.stack.file().path(), m_dead_run.plan, m_dead_run.environment, m_events,
                              m_narrator);
}

} // namespace

Rescued take_over(plan::Actor by, const DeadRun& dead_run, os::Events& events, report::Narrator& narrator) {
    cleanup::Stack& stack = dead_run.stack;
    const journal::State& state = stack.read_state();
    // Who cannot read all of the journal drops nothing: a step may have begun, and cleanups be registered.
    const bool blind = !stack.is_complete() || journal::may_have_begun(state, stack.file());
    if (!blind && state.is_done()) {
        static_cast<void>(stack.close(true));
        return {state.ending.value_or(plan::Ending{})};
    }
    if (!blind && state.over && stands_by(by)) { // what failed is for others to try again
        stack.file().put_by();
        return {state.ending.value_or(plan::Ending{}), state.failures.size()};
    }
    const Found found{state.step, state.ending, state.cleaning, state.handed_over};
    const os::Fd cleaning = found.cleaning ? pidfd_of(*found.cleaning, dead_run.origin.pids) : os::Fd();
    Successor successor(by, dead_run, events, narrator);
    stack.record(journal::TakenOver{by, {::getpid(), os::boot_nanoseconds()}});
    narrator.taken_over(by, stack.read_state()); // with what has failed and is tried again
    const bool stopped =
        (!found.step || successor.stop_step(*found.step)) && (!blind || found.ending || successor.stop_unknown_step());
    if (!stopped) {
        return {found.ending.value_or(lost), 0, successor.stop()};
    }
    const plan::Ending ending = found.ending.value_or(lost);
    if (!found.ending) {
        stack.record(journal::Ended{ending});
    }
    if (found.cleaning) {
        const End end = successor.let_end(*found.cleaning, cleaning);
        if (end.given_up) {
            return {ending, 0, successor.stop()};
        }
        successor.finish(*found.cleaning, end, found.handed_over);
    }
    if (stands_by(by) || found.cleaning) { // else they are over: others have put them in order before
        successor.finish_inner_runs();
    }
    const std::size_t failed = successor.run_cleanups(ending);
    return {ending, std::max(failed, stack.read_state().failures.size()), successor.stop()};
}

} // namespace finally_run::rescue
