// What the kernel that a test runs on can do: both ways are tested, each where it is.
#pragma once

#include <cstdlib>
#include <sys/utsname.h>

namespace finally_run::test {

// Linux 6.15: PIDFD_INFO_EXIT.
[[nodiscard]] inline bool kernel_tells_exits() {
    utsname name{};
    ::uname(&name);
    char* rest = nullptr;
    const long major = std::strtol(&name.release[0], &rest, 10);
    const long minor = *rest == '.' ? std::strtol(rest + 1, nullptr, 10) : 0;
    return major > 6 || (major == 6 && minor >= 15);
}

} // namespace finally_run::test
