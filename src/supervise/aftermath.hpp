// After the command: who is left of it is stopped, waited for, or left alone.
#pragma once

#include "os/clock.hpp"
#include "os/events.hpp"
#include "os/process.hpp"
#include "plan/rewrite.hpp"
#include "supervise/notice.hpp"
#include "supervise/policy.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <sys/types.h>
#include <unordered_map>
#include <utility>
#include <vector>

namespace finally_run::supervise {

// Who is left now.
using Members = std::function<std::vector<os::ProcessInfo>()>;

class Aftermath {
public:
    struct Settings {
        Members members;      // told, killed and waited for
        Members awaited = {}; // and those who are only waited for
        Notify notify = {};
        std::span<const plan::Rewrite> rewrites = {};
        // Hears of each reason to stop that comes while we wait, with its signal if it is one. True: no more waiting.
        std::function<bool(StopCause cause, int signal)> on_request = {};
        // In place of that: hears of every signal, and nothing ends the wait.
        std::function<void(const os::Signal&)> on_signal = {};
    };
    struct Order {
        int signal; // says that all are to end
        // A group that was told already, and with what (0: was not). A second signal makes many programs drop all and
        // abort, so whoever got the first is left to act on it.
        pid_t told_group = 0;
        int told_signal = 0;
    };
    enum class Waited { gone, deadline, given_up };

    // `events` is borrowed.
    Aftermath(os::Events& events, Settings settings) : m_events(events), m_settings(std::move(settings)) {}

    // Ends them all: the signal, and SIGKILL at the deadline, to the told group as a whole if somebody in it runs away
    // from each look: nobody forks his way out of that. Returns when they are gone; who cannot be signalled is
    // waited for. Nobody gives up before SIGKILL.
    Waited stop(const Order& order, const os::Deadline& deadline);

    // Waits until nobody is left.
    [[nodiscard]] Waited wait(const os::Deadline& deadline);

    // SIGKILL to all that are there now, `silent` without a word.
    void kill(pid_t silent);

    // Says, once, that this one cannot be signalled.
    void refused(const os::ProcessInfo& process, int error);

private:
    // Whom we told to stop. What it forks after that is its own way to end: it is not told, as long as its parent is
    // there to see to it.
    struct Told {
        unsigned long long start_ticks; // with the pid in the map: its identity
        std::uint64_t when;             // CLOCK_BOOTTIME
        pid_t newest;                   // the pid that was given out last by then
        bool itself = true;             // false: not it, but who forked it
    };
    [[nodiscard]] const Told* told(const os::ProcessInfo& process) const;
    [[nodiscard]] const Told* forked_by_told(const os::ProcessInfo& process,
                                             const std::vector<os::ProcessInfo>& left) const;
    // Both: whether anybody new was signalled.
    bool tell(const Order& order, const std::vector<os::ProcessInfo>& left);
    bool kill(const std::vector<os::ProcessInfo>& left, pid_t silent);
    void notify(const Notice& notice) const;

    [[nodiscard]] std::vector<os::ProcessInfo> members() const;

    using Act = std::function<bool(const std::vector<os::ProcessInfo>&)>;
    // `act` is called after each look, with the members; if it did something new there is another look soon.
    enum class Next { nothing, kill }; // at the deadline
    Waited wait_until_gone(const os::Deadline& deadline, const Act& act, bool may_give_up, Next next = Next::nothing);

    os::Events& m_events;
    Settings m_settings;
    pid_t m_group = 0; // of the order, if it is not ours: all of it may be killed
    std::unordered_map<pid_t, Told> m_told;
    std::unordered_map<pid_t, unsigned long long> m_refused; // and named; by pid, with their start
    std::unordered_map<pid_t, unsigned long long> m_killed;  // the same
};

} // namespace finally_run::supervise
