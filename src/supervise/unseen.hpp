// The end of a step where there is no /proc to show what is left of it: its own pid and its process group are all that
// can be told apart and signalled.
#pragma once

#include "os/clock.hpp"
#include "os/events.hpp"

#include <sys/types.h>

namespace finally_run::supervise {

// `target` is meant as in kill(2): a pid, or minus a process group. Sends the signal, and SIGKILL at the deadline;
// returns when nobody is left there, or when even that has not ended it.
void stop_unseen(pid_t target, int signal, const os::Deadline& deadline, os::Events& events);

// The same without a signal before the deadline.
void wait_unseen(pid_t target, const os::Deadline& deadline, os::Events& events);

} // namespace finally_run::supervise
