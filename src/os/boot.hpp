// Which boot of the machine is this, which pid namespace, and what time does it say? A pid means nothing without these.
#pragma once

#include <cstdint>
#include <string>

namespace finally_run::os {

// Both throw std::system_error if there is an answer that cannot be had just now: whoever took that for "another boot"
// would not stop a command that still runs.

// /proc/sys/kernel/random/boot_id (random(4)); empty without /proc.
[[nodiscard]] std::string boot_id();

// The inode of /proc/self/ns/pid (namespaces(7)); 0 without /proc.
[[nodiscard]] std::uint64_t pid_namespace();

// CLOCK_BOOTTIME in nanoseconds: the clock of the start times in /proc. Async-signal-safe.
[[nodiscard]] std::uint64_t boot_nanoseconds() noexcept;

} // namespace finally_run::os
