#include "os/exit_info.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <poll.h>
#include <sys/ioctl.h>

namespace finally_run::os {

namespace {

// linux/pidfd.h; headers older than the kernel have none of it.
struct PidfdInfo {
    std::uint64_t mask; // what is asked for, and then what is there
    std::uint64_t cgroup;
    std::array<std::uint32_t, 11> ids;
    std::int32_t exit_code; // as wait(2) has it
};
static_assert(sizeof(PidfdInfo) == 64);

constexpr unsigned long get_info = _IOWR(0xFF, 11, PidfdInfo);
constexpr std::uint64_t info_exit = 1U << 3U;

// Kernels that do not report the reaping to poll(2) are asked again after this.
constexpr auto pause = std::chrono::milliseconds(20);

} // namespace

std::optional<WaitStatus> exit_info(const Fd& pidfd, const Deadline& deadline) {
    for (;;) {
        PidfdInfo info{};
        info.mask = info_exit;
        if (!pidfd || ::ioctl(pidfd.get(), get_info, &info) < 0) {
            return std::nullopt;
        }
        if ((info.mask & info_exit) != 0) {
            return WaitStatus::from_wait(info.exit_code);
        }
        if (has_passed(deadline)) {
            return std::nullopt;
        }
        pollfd reaped{pidfd.get(), 0, 0}; // POLLHUP
        static_cast<void>(::poll(&reaped, 1, poll_timeout(earliest({deadline, deadline_after(pause)}))));
    }
}

} // namespace finally_run::os
