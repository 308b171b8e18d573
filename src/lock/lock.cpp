#include "lock/lock.hpp"

#include "lock/waiter.hpp"
#include "os/error.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/file.h>
#include <tuple>
#include <utility>

namespace finally_run::lock {

namespace {

struct Got {};
using Taken = std::variant<Got, NotHad, os::Interrupted>;

Held open_in_order(std::span<const plan::LockRequest> requests, const std::filesystem::path& state_dir) {
    Held files;
    for (const plan::LockRequest& request : requests) {
        files.push_back(open_lock_file(request, state_dir));
    }
    const auto identity = [](const LockFile& file) { return std::tuple(file.inode, file.device); };
    // Exclusive before shared, so that it is the one that stays.
    std::sort(files.begin(), files.end(), [&](const LockFile& a, const LockFile& b) {
        return std::tuple(identity(a), a.shared) < std::tuple(identity(b), b.shared);
    });
    const auto same = [&](const LockFile& a, const LockFile& b) { return identity(a) == identity(b); };
    files.erase(std::unique(files.begin(), files.end(), same), files.end());
    return files;
}

Taken wait_for(LockFile& file, const os::BootDeadline& deadline, os::Events& events, const WhileWaiting& while_waiting,
               const Holders& holders) {
    const auto start = os::Clock::now();
    os::Deadline next_line = start + std::chrono::seconds(1);
    const os::Fd alarm = os::alarm_at(deadline);
    Waiter waiter(file.fd.get(), file.shared ? LOCK_SH : LOCK_EX);
    for (;;) {
        const os::Event event = events.wait(next_line, waiter.ready_fd(), alarm.get());
        if (std::holds_alternative<os::Readable>(event)) {
            if (const int error = waiter.result(); error != 0) {
                os::throw_error(error, "lock", file.path.native());
            }
            return Got{};
        }
        if (const auto interrupted = os::interrupted_by(event)) {
            return *interrupted;
        }
        if (std::holds_alternative<os::Signal>(event)) {
            continue;
        }
        if (os::has_passed(deadline)) {
            return NotHad{NotHad::Why::busy, file.name, holders.any(file.device, file.inode)};
        }
        const auto now = os::Clock::now();
        next_line = os::deadline_after(while_waiting(file.name, holders.any(file.device, file.inode), now - start));
    }
}

Taken take(LockFile& file, bool may_wait, const os::BootDeadline& deadline, os::Events& events,
           const WhileWaiting& while_waiting, const Holders& holders) {
    if (::flock(file.fd.get(), (file.shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0) {
        return Got{};
    }
    if (errno != EWOULDBLOCK) {
        os::throw_errno("lock", file.path.native());
    }
    if (auto outer = holders.outer(file.device, file.inode)) {
        return NotHad{NotHad::Why::outer_run, file.name, std::move(outer)};
    }
    if (!may_wait) {
        return NotHad{NotHad::Why::busy, file.name, holders.any(file.device, file.inode)};
    }
    return wait_for(file, deadline, events, while_waiting, holders);
}

} // namespace

std::variant<Held, NotHad, os::Interrupted> acquire(std::span<const plan::LockRequest> requests,
                                                    const std::filesystem::path& state_dir, text::Limit wait,
                                                    os::Events& events, const WhileWaiting& while_waiting,
                                                    const Holders& holders) {
    const os::BootDeadline deadline = os::boot_deadline_after(wait);
    const bool may_wait = wait != text::Limit(text::Duration::zero());
    constexpr int most_rounds = 1000;
    for (int round = 0; round < most_rounds; ++round) {
        Held files = open_in_order(requests, state_dir);
        for (LockFile& file : files) {
            auto outcome = take(file, may_wait, deadline, events, while_waiting, holders);
            if (auto* const not_had = std::get_if<NotHad>(&outcome)) {
                return std::move(*not_had);
            }
            if (const auto* const interrupted = std::get_if<os::Interrupted>(&outcome)) {
                return *interrupted;
            }
        }
        // A lock on a file that is no longer at its path excludes nobody. Begin anew, since the new file may have
        // another place in the order.
        if (std::all_of(files.begin(), files.end(), is_current)) {
            return files;
        }
    }
    os::throw_error(ESTALE, "lock", "the file at its path is another one each time");
}

void release(const Held& locks) noexcept {
    for (const LockFile& lock : locks) {
        ::flock(lock.fd.get(), LOCK_UN);
    }
}

} // namespace finally_run::lock
