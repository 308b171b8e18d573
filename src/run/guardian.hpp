// The guardian: a process beside the supervisor that finishes the run if the supervisor dies.
#pragma once

#include "os/events.hpp"
#include "os/fd.hpp"
#include "os/title.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace finally_run::run {

class Guardian {
public:
    // Both run in the guardian, with what was in memory at the fork. The first at once: whatever it needs it copies
    // from argv and envp of main, and it returns the descriptors that it needs (-1 counts for nothing; stderr it has
    // anyway).
    using Settle = std::function<std::vector<int>()>;
    // The second when the supervisor is gone.
    using TakeOver = std::function<void()>;

    // Whose child it is. One that is nobody's is not killed by those who kill a tree of processes from parent to child;
    // whoever is given our orphans has to reap it.
    enum class Kin { child, nobodys };

    // `events` is borrowed.
    Guardian(std::string run_id, const os::MainArgs& main_args, os::Events& events, Settle settle, TakeOver take_over);
    Guardian(const Guardian&) = delete;
    Guardian& operator=(const Guardian&) = delete;
    // Leaves the guardian alone: it sees our end.
    ~Guardian();

    // Forks it, before anything else has been started: quietly, so that it does not mix with what the run starts. If it
    // dies while we wait for events it is replaced, by a child; `failed` is told if that is impossible. Throws
    // std::system_error.
    void start(Kin kin, std::function<void(std::string_view reason)> failed);

    // Whether there is one.
    [[nodiscard]] bool is_there() const { return m_pid > 0; }

    // The run is over: kills it. Its end goes on beside whatever follows, until dismiss.
    void kill() const noexcept;

    // Kills it and waits until it is gone.
    void dismiss();

private:
    void fork(Kin kin);
    void wait_until_gone() const;
    [[nodiscard]] bool lives() const noexcept;
    void replace();
    [[noreturn]] void live(int lifeline) const;

    std::string m_run_id;
    os::MainArgs m_main_args;
    os::Events& m_events;
    Settle m_settle;
    TakeOver m_take_over;
    std::function<void(std::string_view)> m_failed;
    pid_t m_pid = 0;
    Kin m_kin = Kin::child;
    os::Fd m_pidfd;    // of one that is nobody's child
    os::Fd m_lifeline; // the end of a pipe; the guardian waits for it to be closed, by our end
    unsigned m_replaced = 0;
};

} // namespace finally_run::run
