#include "run/take_over.hpp"

#include "os/boot.hpp"
#include "supervise/aftermath.hpp"
#include "supervise/survivors.hpp"

#include <csignal>
#include <string>
#include <unistd.h>

namespace finally_run::run {

namespace {

// Nobody saw how the command ended. A shell shows 137 for what was killed by SIGKILL, as the supervisor most likely
// was.
constexpr plan::Ending lost{plan::Result::lost, 128 + SIGKILL, SIGKILL};

class Successor {
public:
    Successor(plan::Actor by, const Orphan& orphan, os::Events& events, Narrator& narrator)
        : m_by(by), m_orphan(orphan), m_events(events), m_narrator(narrator), m_opened(orphan.stack.state().opened) {}

    // Pids mean something only where and when they were written down. A guardian need not ask, and so not fail: it is a
    // child of the supervisor.
    [[nodiscard]] bool same_boot() const { return is_guardian() || m_opened.boot_id == os::boot_id(); }
    void stop_step(const journal::Started& step);
    void let_end(const journal::Started& cleaning);
    std::size_t run_cleanups(const plan::Ending& ending, cleanup::Observer& observer);

private:
    [[nodiscard]] bool can_see_processes() const {
        return is_guardian() || (same_boot() && m_opened.pid_namespace == os::pid_namespace());
    }
    [[nodiscard]] bool is_guardian() const { return m_by == plan::Actor::guardian; }
    [[nodiscard]] supervise::Aftermath aftermath(const journal::Started& started, pid_t session, bool own_group) const;

    plan::Actor m_by;
    const Orphan& m_orphan;
    os::Events& m_events;
    Narrator& m_narrator;
    const journal::Opened m_opened;
};

supervise::Aftermath Successor::aftermath(const journal::Started& started, pid_t session, bool own_group) const {
    const supervise::Survivors survivors{
        .pid = started.process.pid,
        .boot_nanoseconds = started.process.boot_nanoseconds,
        .session = session,
        .mark = "FINALLY_RUN_ID=" + m_opened.run_id,
        // Long after, a session or a group of that number may be somebody else's.
        .alone_in_group = own_group && is_guardian(),
    };
    return {.members = [survivors] { return survivors.members(); },
            .events = m_events,
            .stop_signal = m_opened.stop_signal,
            .told_group = 0,
            .told_signal = 0};
}

void Successor::stop_step(const journal::Started& step) {
    if (can_see_processes()) {
        aftermath(step, m_opened.session, m_opened.own_group).stop(os::deadline_after(m_opened.grace));
    }
}

// A cleanup that still runs is not cut off: it may be in the middle of what must not be done by two at once.
void Successor::let_end(const journal::Started& cleaning) {
    if (!can_see_processes()) {
        return;
    }
    const auto rest = aftermath(cleaning, cleaning.process.pid, true);
    if (!rest.wait_until(os::deadline_after(m_opened.cleanup_timeout))) {
        rest.stop(os::deadline_after(m_opened.grace));
    }
}

std::size_t Successor::run_cleanups(const plan::Ending& ending, cleanup::Observer& observer) {
    for (const auto& [name, path] : m_orphan.stack.state().variables()) {
        m_orphan.environment.set(name, path);
    }
    m_orphan.environment.set_ending(ending, m_by);
    const plan::Plan& plan = m_orphan.plan;
    const cleanup::Settings settings{.limits = {plan.cleanup_timeout, plan.grace},
                                     .retries = plan.cleanup_retries,
                                     .env = m_orphan.environment.block(),
                                     .directory = m_orphan.directory,
                                     .mask = m_orphan.mask,
                                     .same_boot = same_boot()};
    std::size_t failed = 0;
    do {
        failed += cleanup::run_all(m_orphan.stack, ending.result, settings, m_orphan.output, m_events, observer);
    } while (!m_orphan.stack.close());
    return failed;
}

} // namespace

TakenOver take_over(plan::Actor by, const Orphan& orphan, os::Events& events, Narrator& narrator,
                    cleanup::Observer& observer) {
    JournalStack& stack = orphan.stack;
    const journal::State found = stack.state();
    if (found.over || !found.begun) {
        static_cast<void>(stack.close(true));
        return {found.ending.value_or(plan::Ending{}), 0};
    }
    Successor successor(by, orphan, events, narrator);
    stack.record(journal::TakenOver{by, {::getpid(), os::boot_nanoseconds()}});
    narrator.taken_over(by, found.opened, found.stack.size());
    if (found.step) {
        successor.stop_step(*found.step);
    }
    const plan::Ending ending = found.ending.value_or(lost);
    if (!found.ending) {
        stack.record(journal::Ended{ending});
    }
    if (found.cleaning) {
        successor.let_end(*found.cleaning);
        if (found.handed_over) {
            stack.record(journal::Finished{found.cleaning->cleanup, {}});
        }
    }
    return {ending, successor.run_cleanups(ending, observer)};
}

} // namespace finally_run::run
