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
    {"poll", [] { return static_cast<long>(::poll(nullptr, 0, 0)); }},
    {"waitid", try_waitid},
    {"kill", [] { return static_cast<long>(::kill(::getpid(), 0)); }},
    {"getpid", [] { return failed(::getpid() <= 0); }},
    {"getppid", [] { return failed(::getppid() < 0); }},
    {"getsid", [] { return failed(::getsid(0) < 0); }},
    {"setpgid", [] { return static_cast<long>(::setpgid(0, -1)); }},
    {"umask", try_umask},
    {"close", [] { return static_cast<long>(::close(-1)); }},
    {"write", [] { return static_cast<long>(::write(-1, nullptr, 0)); }},
    {"read", [] { return static_cast<long>(::read(-1, nullptr, 0)); }},
    {"pread64", [] { return static_cast<long>(::pread(-1, nullptr, 0, 0)); }},
    {"dup2", [] { return static_cast<long>(::dup2(-1, -1)); }},
    {"fchdir", [] { return static_cast<long>(::fchdir(-1)); }},
    {"unlinkat", [] { return static_cast<long>(::unlinkat(AT_FDCWD, "", 0)); }},
    {"mkdir", [] { return static_cast<long>(::mkdir("", 0)); }},
    {"newfstatat", try_stat},
}};

// The C++ library calls it when it starts, and aborts if it is refused. Nothing of that library, or of a sanitizer, may
// be used here.
#if defined(__SANITIZE_ADDRESS__)
__attribute__((no_sanitize_address))
#endif
void require_futex() {
    static int nobody_waits = 0;
    if (::syscall(SYS_futex, &nobody_waits, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0) < 0) {
        static constexpr char line[] = "finally-run: cannot run anything here: futex is refused\n";
        constexpr int own_failure = 125;
        static_cast<void>(!::write(STDERR_FILENO, line, sizeof line - 1));
        ::_exit(own_failure);
    }
}

// Before the constructors of all libraries: ld.so(8), System V ABI.
__attribute__((section(".preinit_array"), used)) void (*const before_all)() = require_futex;

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
