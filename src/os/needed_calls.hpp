// The system calls that no end of a run can do without, tried before anything has begun.
#pragma once

#include <string>

namespace finally_run::os {

// What is refused, with the reason, as "poll: Operation not permitted"; empty if nothing is. No exceptions: where
// futex(2) is refused the first one would abort us.
//
// Every kernel since Linux 2.6.27 has these calls, so only a filter (seccomp(2)) refuses them. Without one this costs
// one system call.
[[nodiscard]] std::string refused_call();

} // namespace finally_run::os
