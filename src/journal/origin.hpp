// Where a run was, as seen from here: the same machine, the same boot, the same pids?
#pragma once

#include "journal/record.hpp"
#include "os/boot.hpp"

#include <cstdint>
#include <string>

namespace finally_run::journal {

// Whether a pid in the journal means the process that has it here.
enum class Pids {
    same,
    same_if_start_fits, // the boot or the time namespace is not known: only the start time tells
    others,
};

struct Origin {
    bool same_host = true; // else its cleanups are for another machine's files and processes
    bool same_boot = true;
    Pids pids = Pids::same;
    bool may_live = false; // where its pids mean nothing to us: on another host, in another namespace
};

// Where we are ourselves, for whoever asks for many. Throws std::system_error if it cannot be had just now.
struct Here {
    std::string boot_id = os::boot_id();
    std::string machine_id = os::machine_id();
    std::string host_name = os::host_name();
    std::uint64_t pid_namespace = os::pid_namespace();
    std::uint64_t time_namespace = os::time_namespace();
};

// What is not known is not equal.
[[nodiscard]] Origin origin_of(const Opened& opened, const Here& here = {});

// Whether this process of the run, if it lives, is the one that has its pid here.
[[nodiscard]] bool can_be_told(Pids pids, const ProcessId& process);

} // namespace finally_run::journal
