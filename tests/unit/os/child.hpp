// Spawns and waits, for tests of what a child is given.
#pragma once

#include "os/error.hpp"
#include "os/spawn.hpp"
#include "os/wait_status.hpp"

#include <optional>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace finally_run::test {

// Gone at the end of the case, as main.cpp sees to.
inline std::optional<os::Signals>& signals_of_case() {
    static std::optional<os::Signals> signals;
    return signals;
}

// One a case: from its creation on all signals are blocked.
inline os::Signals& signals() {
    auto& signals = signals_of_case();
    return signals ? *signals : signals.emplace();
}

inline os::SpawnRequest request(const std::vector<const char*>& argv) {
    static_cast<void>(signals());
    os::SpawnRequest request{};
    request.argv = argv.data();
    request.env = environ;
    request.signals = os::default_signals();
    return request;
}

inline os::WaitStatus wait_for(pid_t pid) {
    siginfo_t info = {};
    if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) < 0)
        os::throw_errno("waitid");
    return os::WaitStatus::from(info);
}

// `argv` ends with a null.
inline os::WaitStatus run(const std::vector<const char*>& argv) {
    const os::SpawnResult result = os::spawn(request(argv));
    if (!result.started())
        os::throw_error(result.error, "spawn");
    return wait_for(result.pid);
}

} // namespace finally_run::test
