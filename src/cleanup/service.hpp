// The stop of a service: of its whole session.
#pragma once

#include "journal/origin.hpp"
#include "journal/record.hpp"
#include "os/events.hpp"
#include "os/process.hpp"
#include "supervise/notice.hpp"
#include "text/duration.hpp"

#include <functional>
#include <string>
#include <vector>

namespace finally_run::cleanup {

struct RunningService {
    journal::ProcessId process; // it leads its session
    std::string mark;           // see supervise::Survivors
    journal::Pids pids = journal::Pids::same;
    bool numbers_hold = true; // of processes: whoever stops it has been there since it was started
    // Who finishes a run that the service was, or had begun: waited for, and never signalled.
    std::function<std::vector<os::ProcessInfo>()> inner_guardians = {};
};

// TERM to its session, SIGKILL after `grace`, and waits until it is gone, with all that is in its session. How it ended
// does not matter, nor whether it had ended before. Nothing aborts it.
void stop_service(const RunningService& service, text::Limit grace, os::Events& events,
                  const std::function<void(const os::Signal&)>& on_signal, const supervise::Notify& notify);

} // namespace finally_run::cleanup
