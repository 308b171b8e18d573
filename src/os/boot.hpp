// Which machine is this, which boot of it, which namespaces, and what time does it say? A pid means nothing without
// these.
#pragma once

#include <cstdint>
#include <string>

namespace finally_run::os {

// All of them throw std::system_error if there is an answer that cannot be had just now: whoever took that for "another
// boot" would not stop a command that still runs.

// /proc/sys/kernel/random/boot_id (random(4)); empty without /proc.
[[nodiscard]] std::string boot_id();

// The inode of /proc/self/ns/pid (namespaces(7)); 0 without /proc.
[[nodiscard]] std::uint64_t pid_namespace();

// The inode of /proc/self/ns/time (time_namespaces(7)): in another one the clock of the start times shows another time.
// 0 without /proc, and on Linux before 5.6, which has no such namespaces.
[[nodiscard]] std::uint64_t time_namespace();

// machine-id(5): the same after a reboot, and of no other machine. Empty if there is none, as in many containers.
[[nodiscard]] std::string machine_id();

// uname(2): for people, and for a machine without an id.
[[nodiscard]] std::string host_name();

// CLOCK_BOOTTIME in nanoseconds: the clock of the start times in /proc. Async-signal-safe.
[[nodiscard]] std::uint64_t boot_nanoseconds() noexcept;

} // namespace finally_run::os
