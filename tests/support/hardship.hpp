// What a test takes away from its process: privileges, room on the disk, system calls.
#pragma once

#include "os/fd.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace finally_run::test {

// An ordinary user, to whom `directory` is given, for as long as this lives. Nothing changes if we are one already.
class Unprivileged {
public:
    explicit Unprivileged(const std::filesystem::path& directory) {
        if (m_before == 0) {
            constexpr uid_t nobody = 65534;
            if (::chown(directory.c_str(), nobody, static_cast<gid_t>(-1)) < 0 || ::seteuid(nobody) < 0) {
                throw std::system_error(errno, std::generic_category(), "seteuid");
            }
        }
    }
    Unprivileged(const Unprivileged&) = delete;
    Unprivileged& operator=(const Unprivileged&) = delete;
    ~Unprivileged() { static_cast<void>(::seteuid(m_before)); }

private:
    uid_t m_before = ::geteuid();
};

// No file may grow beyond this many bytes, as on a full disk.
class FileSizeLimit {
public:
    explicit FileSizeLimit(std::uintmax_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &m_before);
        rlimit limit = m_before;
        limit.rlim_cur = bytes;
        ::setrlimit(RLIMIT_FSIZE, &limit);
        m_action = ::signal(SIGXFSZ, SIG_IGN);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;
    ~FileSizeLimit() {
        ::setrlimit(RLIMIT_FSIZE, &m_before);
        ::signal(SIGXFSZ, m_action);
    }

private:
    rlimit m_before{};
    sighandler_t m_action = SIG_DFL;
};

// No descriptor is to be had. poll(2) refuses to look at more than the limit allows, so it is not lower than that.
class NoDescriptors {
public:
    NoDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &m_before);
        rlimit limit = m_before;
        limit.rlim_cur = 16;
        ::setrlimit(RLIMIT_NOFILE, &limit);
        for (int fd = ::dup(STDERR_FILENO); fd >= 0; fd = ::dup(STDERR_FILENO)) {
            m_taken.emplace_back(fd);
        }
    }
    NoDescriptors(const NoDescriptors&) = delete;
    NoDescriptors& operator=(const NoDescriptors&) = delete;
    ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &m_before); }

private:
    rlimit m_before{};
    std::vector<os::Fd> m_taken;
};

// From here on the system call fails with `error` in this thread and all that it starts; with `bits` only if its
// argument of that index has one of them. For a forked process: it cannot be undone.
inline void refuse_system_call(long number, int error, std::size_t argument = 0, std::uint32_t bits = 0) {
    constexpr std::size_t low_half = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0;
    const auto at = static_cast<std::uint32_t>(offsetof(seccomp_data, args) + argument * 8 + low_half);
    std::array<sock_filter, 6> filter{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(number), 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    if (bits == 0) {
        filter[3] = BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0);
    }
    const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0) {
        throw std::system_error(errno, std::generic_category(), "seccomp");
    }
}

} // namespace finally_run::test
