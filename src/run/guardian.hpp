// The guardian: a process beside the supervisor that finishes the run if the supervisor dies.
#pragma once

#include "os/bystander.hpp"
#include "os/events.hpp"
#include "os/title.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::run {

class Guardian {
public:
    struct Means {
        std::function<std::vector<int>()> needed; // descriptors, as any bystander's: asked before each fork
        int null;                                 // /dev/null
        std::size_t memory;                       // see Bystander::Body
        // In the guardian, with what was in memory at the fork, when the supervisor is gone.
        std::function<void()> take_over;
    };

    using Kin = os::Kin;

    // `events` is borrowed.
    Guardian(std::string run_id, const os::MainArgs& main_args, os::Events& events, Means means);
    Guardian(const Guardian&) = delete;
    Guardian& operator=(const Guardian&) = delete;
    // Leaves the guardian alone: it sees our end.
    ~Guardian();

    // Forks it, before anything else has been started: quietly, so that it does not mix with what the run starts. If it
    // dies while we wait for events it is replaced, by a child; `failed` is told if that is impossible. Throws
    // std::system_error.
    void start(Kin kin, std::function<void(std::string_view reason)> failed);

    // Until whoever kills our group does not reach it any more: before the first step.
    void await_apart() noexcept { m_process.await_apart(); }

    // Forks it anew, since what it is to know is nowhere but in our memory.
    void renew();

    // Whether there is one.
    [[nodiscard]] bool is_there() const { return m_process.is_there(); }

    // The run is over: kills it. Its end goes on beside whatever follows, until dismiss.
    void kill() const noexcept { m_process.kill(); }

    // Kills it and waits until it is gone.
    void dismiss();

private:
    void fork(Kin kin, std::size_t memory);
    void replace();
    void live(int lifeline) const;

    std::string m_run_id;
    os::MainArgs m_main_args;
    os::Events& m_events;
    Means m_means;
    std::function<void(std::string_view)> m_failed;
    os::Bystander m_process; // its line is a pipe; the guardian waits for our end of it to be closed, by our end
    unsigned m_replaced = 0;
};

} // namespace finally_run::run
