// How a process ended that was not our child: ioctl(2) PIDFD_GET_INFO with PIDFD_INFO_EXIT, since Linux 6.15.
#pragma once

#include "os/clock.hpp"
#include "os/fd.hpp"
#include "os/wait_status.hpp"

#include <optional>

namespace finally_run::os {

// The kernel tells only once its parent, or whoever has adopted it, has reaped it, and only through a pidfd that was
// opened before: waits for that until the deadline. nullopt: not reaped by then, or nothing tells.
[[nodiscard]] std::optional<WaitStatus> exit_info(const Fd& pidfd, const Deadline& deadline);

} // namespace finally_run::os
