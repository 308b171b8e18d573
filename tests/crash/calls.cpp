// The table of system calls.
#include "calls.hpp"

#include <fcntl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

namespace finally_run::crash {

namespace {

struct Entry {
    long number;
    std::string_view name;
    std::array<int, 5> errors; // ends with the first 0
};

// Left out on purpose: calls that fail only for a wrong argument or a missing right (rt_sigaction, rt_sigprocmask,
// setsid, dup2, kill), and those that fail in each run anyway and say nothing then (ioctl, prctl).
// clang-format off
#define CALL(name, ...) Entry{SYS_##name, #name, {__VA_ARGS__}}

const std::array table{
    CALL(brk, ENOMEM),
    CALL(clone, EAGAIN, ENOMEM),
    CALL(close, EINTR, EIO),
    CALL(epoll_create1, EMFILE, ENOMEM),
    CALL(eventfd2, EMFILE, ENFILE, ENOMEM),
    CALL(execve, EIO, ENOMEM, EAGAIN, ENFILE),
    CALL(faccessat, EIO, ENOMEM),
    CALL(faccessat2, EIO, ENOMEM),
    CALL(fchdir, EIO, EACCES),
    CALL(fchmod, EIO),
    CALL(fcntl, EMFILE, ENOMEM),
    CALL(fdatasync, EIO, ENOSPC),
    CALL(flock, EINTR, ENOLCK),
    CALL(fstat, EIO, ENOMEM),
    CALL(fstatfs, EIO, EINTR, ENOMEM),
    CALL(fsync, EIO, ENOSPC),
    CALL(ftruncate, EIO, EINTR),
    CALL(getcwd, ENOENT, ENOMEM),
    CALL(getdents64, EIO, ENOMEM),
    CALL(getrandom, EAGAIN, EINTR),
    CALL(linkat, EIO, ENOSPC, ENOMEM),
    CALL(lseek, EIO),
    CALL(mkdirat, EIO, ENOSPC, ENOMEM),
    CALL(mmap, ENOMEM, EAGAIN),
    CALL(mprotect, ENOMEM),
    CALL(munmap, ENOMEM),
    CALL(newfstatat, EIO, ENOMEM),
    CALL(openat, EMFILE, ENFILE, ENOMEM, EIO, EINTR),
    CALL(openat2, EMFILE, ENFILE, ENOMEM, EIO, EAGAIN),
    CALL(pidfd_open, EMFILE, ENFILE, ENOMEM),
    CALL(pipe2, EMFILE, ENFILE),
    CALL(ppoll, EINTR, ENOMEM),
    CALL(pread64, EIO, EINTR),
    CALL(pwrite64, EIO, ENOSPC, EINTR),
    CALL(read, EIO, EINTR),
    CALL(readlinkat, EIO, ENOMEM),
    CALL(renameat2, EIO, ENOSPC),
    CALL(rt_sigtimedwait, EINTR),
    CALL(signalfd4, EMFILE, ENFILE, ENOMEM),
    CALL(statx, EIO, ENOMEM),
    CALL(timerfd_create, EMFILE, ENOMEM),
    CALL(unlinkat, EIO, EBUSY, ENOSPC),
    CALL(wait4, EINTR),
    CALL(waitid, EINTR),
    CALL(write, EIO, ENOSPC, EINTR),
    CALL(writev, EIO, ENOSPC),
#if defined(SYS_open) // the older architectures have these besides
    CALL(access, EIO, ENOMEM),
    CALL(chmod, EIO),
    CALL(fork, EAGAIN, ENOMEM),
    CALL(link, EIO, ENOSPC),
    CALL(mkdir, EIO, ENOSPC, ENOMEM),
    CALL(open, EMFILE, ENFILE, ENOMEM, EIO, EINTR),
    CALL(poll, EINTR, ENOMEM),
    CALL(readlink, EIO, ENOMEM),
    CALL(rename, EIO, ENOSPC),
    CALL(rmdir, EIO, EBUSY),
    CALL(stat, EIO, ENOMEM),
    CALL(unlink, EIO, EBUSY),
    CALL(vfork, EAGAIN, ENOMEM),
    CALL(dup2),
#endif
    // Named for those who read what a trial says.
    CALL(clone3),
    CALL(close_range),
    CALL(dup3),
    CALL(exit),
    CALL(exit_group),
    CALL(futex),
    CALL(geteuid),
    CALL(getpid),
    CALL(getppid),
    CALL(getsid),
    CALL(gettid),
    CALL(getuid),
    CALL(ioctl),
    CALL(kill),
    CALL(pidfd_send_signal),
    CALL(prctl),
    CALL(prlimit64),
    CALL(rseq),
    CALL(rt_sigaction),
    CALL(rt_sigpending),
    CALL(rt_sigprocmask),
    CALL(rt_sigreturn),
    CALL(set_robust_list),
    CALL(set_tid_address),
    CALL(setpgid),
    CALL(setsid),
    CALL(umask),
};

#undef CALL
// clang-format on

const Entry* find(long number) {
    const auto* const found =
        std::find_if(table.begin(), table.end(), [&](const Entry& entry) { return entry.number == number; });
    return found == table.end() ? nullptr : found;
}

} // namespace

std::string name_of_call(long number) {
    const Entry* const entry = find(number);
    return entry != nullptr ? std::string(entry->name) : "call " + std::to_string(number);
}

std::span<const int> failures_of(long number) {
    const Entry* const entry = find(number);
    if (entry == nullptr) {
        return {};
    }
    const auto end = std::find(entry->errors.begin(), entry->errors.end(), 0);
    return {entry->errors.data(), static_cast<std::size_t>(end - entry->errors.begin())};
}

bool may_fail_with(long number, int error) {
    const auto errors = failures_of(number);
    return std::find(errors.begin(), errors.end(), error) != errors.end();
}

long result_of_failure(long number, int error) { return number == SYS_brk ? 0 : -error; }

bool makes_process(long number) {
    switch (number) {
    case SYS_clone:
    case SYS_clone3:
    case SYS_execve:
#if defined(SYS_fork)
    case SYS_fork:
    case SYS_vfork:
#endif
        return true;
    default:
        return false;
    }
}

Reach reach_of(long number, std::span<const std::uint64_t> arguments) {
    switch (number) {
    case SYS_brk:
    case SYS_geteuid:
    case SYS_getpid:
    case SYS_getrandom:
    case SYS_gettid:
    case SYS_getuid:
    case SYS_mmap:
    case SYS_mprotect:
    case SYS_munmap:
    case SYS_umask:
        return Reach::nothing;
    case SYS_fcntl:
        return arguments[1] == F_DUPFD_CLOEXEC || arguments[1] == F_GETFD || arguments[1] == F_GETFL ? Reach::nothing
                                                                                                     : Reach::others;
    case SYS_faccessat:
    case SYS_faccessat2:
    case SYS_fstat:
    case SYS_newfstatat:
    case SYS_readlinkat:
    case SYS_statx:
#if defined(SYS_access)
    case SYS_access:
    case SYS_readlink:
    case SYS_stat:
#endif
        return Reach::names;
    case SYS_openat: {
        const bool looks = (arguments[2] & (O_ACCMODE | O_CREAT | O_TRUNC)) == O_RDONLY;
        return looks ? Reach::names : Reach::others;
    }
    case SYS_getdents64:
    case SYS_getppid:
    case SYS_getsid:
    case SYS_pread64:
    case SYS_rt_sigaction:
    case SYS_rt_sigpending:
    case SYS_rt_sigprocmask:
        return Reach::state;
    default:
        return Reach::others;
    }
}

bool has_effect_when_failing(long number) { return number == SYS_close; }

} // namespace finally_run::crash
