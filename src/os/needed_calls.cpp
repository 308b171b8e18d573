#include "os/needed_calls.hpp"

#include "os/error.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace finally_run::os {

namespace {

// EINVAL: the kernel has no filters at all. Any other failure may itself be a filter's.
bool may_be_filtered() { return ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0 && errno != EINVAL; }

struct Call {
    const char* name;
    long (*attempt)(); // does nothing; -1 and errno, or not
};

long failed(bool is) {
    errno = ENOSYS; // what these return then is no errno
    return is ? -1 : 0;
}

// The mask is back before anything else happens: there is one thread.
long try_umask() {
    constexpr mode_t private_mask = 077;
    const mode_t before = ::umask(private_mask);
    ::umask(before);
    return failed((before & ~static_cast<mode_t>(ACCESSPERMS)) != 0);
}

long try_futex() {
    int nobody_waits = 0;
    return ::syscall(SYS_futex, &nobody_waits, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

long try_waitid() {
    siginfo_t info = {};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
}

long try_stat() {
    struct stat info = {};
    return ::fstatat(AT_FDCWD, ".", &info, 0);
}

// Each is made so that the kernel has nothing to do: it has no such descriptor, file or group.
constexpr std::array<Call, 17> calls{{
    {"futex", try_futex},
    {"poll", [] { return static_cast<long>(::poll(nullptr, 0, 0)); }},
    {"waitid", try_waitid},
    {"kill", [] { return static_cast<long>(::kill(::getpid(), 0)); }},
    {"getpid", [] { return failed(::getpid() <= 0); }},
    {"getppid", [] { return failed(::getppid() < 0); }},
    {"getsid", [] { return failed(::getsid(0) < 0); }},
    {"setpgid", [] { return static_cast<long>(::setpgid(0, -1)); }},
    {"umask", try_umask},
    {"close", [] { return static_cast<long>(::close(-1)); }},
    {"read", [] { return static_cast<long>(::read(-1, nullptr, 0)); }},
    {"pread64", [] { return static_cast<long>(::pread(-1, nullptr, 0, 0)); }},
    {"dup2", [] { return static_cast<long>(::dup2(-1, -1)); }},
    {"fchdir", [] { return static_cast<long>(::fchdir(-1)); }},
    {"unlinkat", [] { return static_cast<long>(::unlinkat(AT_FDCWD, "", 0)); }},
    {"mkdir", [] { return static_cast<long>(::mkdir("", 0)); }},
    {"newfstatat", try_stat},
}};

} // namespace

std::string refused_call() {
    if (!may_be_filtered()) {
        return {};
    }
    for (const Call& call : calls) {
        errno = 0;
        if (call.attempt() < 0 && (errno == ENOSYS || errno == EPERM)) {
            return std::string(call.name).append(": ").append(error_text(errno));
        }
    }
    return {};
}

} // namespace finally_run::os
