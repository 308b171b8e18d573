#include "rescue/take_over.hpp"

#include "os/boot.hpp"
#include "rescue/inner_guardians.hpp"
#include "supervise/aftermath.hpp"
#include "supervise/survivors.hpp"
#include "supervise/unseen.hpp"

#include <algorithm>
#include <compare>
#include <csignal>
#include <iterator>
#include <limits>
#include <memory>
#include <string>
#include <unistd.h>

namespace finally_run::rescue {

namespace {

// Nobody saw how the command ended. A shell shows 137 for what was killed by SIGKILL, as the supervisor most likely
// was.
constexpr plan::Ending lost{plan::Result::lost, 128 + SIGKILL, SIGKILL};

// The narrator's ears, and a memory for the first request to stop: it aborts no cleanup, but what was to follow.
class Listener : public cleanup::Observer {
public:
    explicit Listener(report::Narrator& narrator) : m_narrator(narrator) {}

    // `signal` asks to stop.
    void hear(int signal) { m_stop = m_stop == 0 ? signal : m_stop; }

    void begin(const cleanup::Cleanup& cleanup) override { m_narrator.begin(cleanup); }
    void end(const cleanup::Cleanup& cleanup, const cleanup::Outcome& outcome, text::Duration took) override {
        m_narrator.end(cleanup, outcome, took);
    }
    void retrying(const cleanup::Cleanup& cleanup, const cleanup::Outcome& outcome, text::Duration pause) override {
        m_narrator.retrying(cleanup, outcome, pause);
    }
    void on_signal(const cleanup::Cleanup& cleanup, const os::Signal& signal) override {
        m_narrator.on_signal(cleanup, signal);
        if (os::default_action(signal.number) == os::DefaultAction::end) {
            hear(signal.number);
        }
    }
    void noticed(const supervise::Notice& notice) override { m_narrator.noticed(notice); }
    void moved(const cleanup::Cleanup& cleanup, std::string_view reason) override { m_narrator.moved(cleanup, reason); }
    [[nodiscard]] int stop() const { return m_stop; }

private:
    report::Narrator& m_narrator;
    int m_stop = 0;
};

// Where the run was: the journal says more as we go on.
struct Found {
    std::optional<journal::Started> step;
    std::optional<plan::Ending> ending;
    std::optional<journal::Started> cleaning;
    bool handed_over;
};

using Waited = supervise::Aftermath::Waited;

class Successor {
public:
    Successor(plan::Actor by, const DeadRun& dead_run, os::Events& events, Listener& listener)
        : m_by(by), m_dead_run(dead_run), m_events(events), m_listener(listener),
          m_opened(dead_run.stack.read_state().opened) {}

    // False: a recovery was told to stop while it waited, and gives up.
    [[nodiscard]] bool stop_step(const journal::Started& step);
    [[nodiscard]] bool stop_unknown_step();
    [[nodiscard]] bool let_end(const journal::Started& cleaning);
    std::size_t run_cleanups(const plan::Ending& ending);

private:
    [[nodiscard]] supervise::Aftermath aftermath(const journal::Started& started, pid_t session, bool own_group,
                                                 bool marked = true) const;

    plan::Actor m_by;
    const DeadRun& m_dead_run;
    os::Events& m_events;
    Listener& m_listener;
    const journal::Opened m_opened;
};

supervise::Aftermath Successor::aftermath(const journal::Started& started, pid_t session, bool own_group,
                                          bool marked) const {
    // Long after, a session or a group of that number may be somebody else's.
    const bool by_guardian = m_by == plan::Actor::guardian;
    auto survivors = std::make_shared<supervise::Survivors>(supervise::Survivors{
        .pid = started.process.pid,
        .boot_nanoseconds = started.process.boot_nanoseconds,
        .session = session,
        .mark = marked ? "FINALLY_RUN_ID=" + m_opened.run_id : std::string(), // what the command left has it too
        .alone_in_group = own_group && by_guardian,
    });
    return {m_events,
            {.members =
                 [survivors, journal = m_dead_run.stack.file().path()] {
                     auto found = survivors->members();
                     std::erase_if(found, is_guardian);
                     std::ranges::move(guardians_at_work(journal), std::back_inserter(found));
                     return found;
                 },
             .notify = [this](const supervise::Notice& notice) { m_listener.noticed(notice); },
             .is_spared = is_guardian,
             .on_request =
                 [this, by_guardian](int signal) {
                     m_listener.hear(signal);
                     return !by_guardian;
                 }}};
}

bool Successor::stop_step(const journal::Started& step) {
    if (!journal::can_be_told(m_dead_run.origin.pids, step.process)) {
        return true;
    }
    if (m_by == plan::Actor::guardian && !os::processes_are_visible()) {
        m_listener.noticed({.what = supervise::Notice::What::unseen});
        const pid_t pid = step.process.pid;
        supervise::stop_unseen(m_opened.own_group ? -pid : pid, m_opened.stop_signal,
                               os::deadline_after(m_opened.grace), m_events);
        return true;
    }
    auto rest = aftermath(step, m_opened.session, m_opened.own_group);
    return rest.stop({.signal = m_opened.stop_signal}, os::deadline_after(m_opened.grace)) != Waited::given_up;
}

// What there is no record of can still be found by the mark of the run.
bool Successor::stop_unknown_step() {
    constexpr pid_t nobody = std::numeric_limits<pid_t>::max();
    return stop_step({journal::Started::What::command, {nobody, m_opened.supervisor.boot_nanoseconds}, 0});
}

// A cleanup that still runs is not cut off: it may be in the middle of what must not be done by two at once.
bool Successor::let_end(const journal::Started& cleaning) {
    if (!journal::can_be_told(m_dead_run.origin.pids, cleaning.process)) {
        return true;
    }
    if (m_by == plan::Actor::guardian && !os::processes_are_visible()) {
        supervise::wait_unseen(-cleaning.process.pid, os::deadline_after(m_opened.cleanup_timeout), m_events);
        return true;
    }
    // On a terminal the supervisor's cleanups are in the session of the run, in groups of their own.
    const auto process = os::read_process(cleaning.process.pid);
    const bool lives = process && std::is_lteq(os::start_against(*process, cleaning.process.boot_nanoseconds));
    const bool on_terminal = lives ? process->session == m_opened.session : !m_opened.own_group;
    auto rest = aftermath(cleaning, on_terminal ? m_opened.session : cleaning.process.pid, true, !on_terminal);
    Waited waited = rest.wait(os::deadline_after(m_opened.cleanup_timeout));
    if (waited == Waited::deadline) {
        waited = rest.stop({.signal = m_opened.stop_signal}, os::deadline_after(m_opened.grace));
    }
    return waited != Waited::given_up;
}

std::size_t Successor::run_cleanups(const plan::Ending& ending) {
    for (const auto& [name, path] : m_dead_run.stack.read_state().variables()) {
        m_dead_run.environment.set(name, path);
    }
    cleanup::tell_ending(m_dead_run.environment, ending, m_by);
    const plan::Plan& plan = m_dead_run.plan;
    const cleanup::Settings settings{.limits = {plan.cleanup_timeout, plan.grace},
                                     .retries = plan.cleanup_retries,
                                     .env = m_dead_run.environment.block(),
                                     .directory = m_dead_run.directory,
                                     .mask = m_dead_run.mask,
                                     .same_boot = m_dead_run.origin.same_boot};
    return cleanup::run_to_end(m_dead_run.stack, ending.result, settings, m_dead_run.output, m_events, m_listener);
}

} // namespace

Rescued take_over(plan::Actor by, const DeadRun& dead_run, os::Events& events, report::Narrator& narrator) {
    cleanup::Stack& stack = dead_run.stack;
    const journal::State& state = stack.read_state();
    // A guardian that cannot read all of the journal drops nothing: a step may have begun, and cleanups be registered.
    const bool blind = !stack.is_complete();
    if (!blind && state.is_done()) {
        static_cast<void>(stack.close(true));
        return {state.ending.value_or(plan::Ending{})};
    }
    if (!blind && state.over && by == plan::Actor::guardian) { // what failed is for others to try again
        stack.file().put_by();
        return {state.ending.value_or(plan::Ending{}), state.failures.size()};
    }
    const Found found{state.step, state.ending, state.cleaning, state.handed_over};
    Listener listener(narrator);
    Successor successor(by, dead_run, events, listener);
    stack.record(journal::TakenOver{by, {::getpid(), os::boot_nanoseconds()}});
    narrator.taken_over(by, stack.read_state()); // with what has failed and is tried again
    const bool stopped =
        (!found.step || successor.stop_step(*found.step)) && (!blind || found.ending || successor.stop_unknown_step());
    if (!stopped) {
        return {found.ending.value_or(lost), 0, listener.stop()};
    }
    const plan::Ending ending = found.ending.value_or(lost);
    if (!found.ending) {
        stack.record(journal::Ended{ending});
    }
    if (found.cleaning) {
        if (!successor.let_end(*found.cleaning)) {
            return {ending, 0, listener.stop()};
        }
        if (found.handed_over) {
            stack.record(journal::CleanupEnded{found.cleaning->cleanup, {}});
        }
    }
    const std::size_t failed = successor.run_cleanups(ending);
    return {ending, std::max(failed, stack.read_state().failures.size()), listener.stop()};
}

} // namespace finally_run::rescue
