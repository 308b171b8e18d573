#include "cleanup/service.hpp"

#include "os/clock.hpp"
#include "os/process.hpp"
#include "supervise/aftermath.hpp"
#include "supervise/survivors.hpp"
#include "supervise/unseen.hpp"

#include <csignal>
#include <cstdint>

namespace finally_run::cleanup {

void stop_service(const RunningService& service, text::Limit grace, os::Events& events,
                  const std::function<void(const os::Signal&)>& on_signal, const supervise::Notify& notify) {
    const pid_t pid = service.process.pid;
    const std::uint64_t since = service.process.boot_nanoseconds;
    if (!journal::can_be_told(service.pids, service.process)) {
        return; // it went with its boot, or is none of ours to see
    }
    const os::Deadline deadline = os::deadline_after(grace);
    if (service.numbers_hold && !os::processes_are_visible()) {
        notify({.what = supervise::Notice::What::unseen});
        supervise::stop_unseen(-pid, SIGTERM, deadline, events);
        return;
    }
    // While its leader lives, the number of the session is its own. After that what is left of it has the mark.
    supervise::Survivors survivors{.pid = pid,
                                   .boot_nanoseconds = since,
                                   .session = pid,
                                   .mark = service.mark,
                                   .alone_in_group = os::still_runs(pid, since)};
    // What our child leaves behind becomes our child too: while we have one, somebody may be left, and a look at all
    // processes tells who.
    const bool is_ours = os::is_child(pid);
    const auto nobody_is_left = [&] { return is_ours && !os::has_children(); };
    const auto left = [&] {
        os::reap_all(events.other_child());
        return nobody_is_left() ? std::vector<os::ProcessInfo>() : survivors.members();
    };
    const auto guardians = [&] {
        return nobody_is_left() ? std::vector<os::ProcessInfo>() : service.inner_guardians();
    };
    supervise::Aftermath rest(events, {.members = left,
                                       .awaited = service.inner_guardians ? guardians : supervise::Members(),
                                       .notify = notify,
                                       .on_signal = on_signal});
    static_cast<void>(rest.stop({.signal = SIGTERM, .told_group = is_ours ? pid : 0}, deadline));
}

} // namespace finally_run::cleanup
