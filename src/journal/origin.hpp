// Where a run was, as seen from here: the same machine, the same boot, the same pids?
#pragma once

#include "journal/record.hpp"

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

// What is not known is not equal. Throws std::system_error if it cannot be had just now.
[[nodiscard]] Origin origin_of(const Opened& opened);

// Whether this process of the run, if it lives, is the one that has its pid here.
[[nodiscard]] bool can_be_told(Pids pids, const ProcessId& process);

} // namespace finally_run::journal
