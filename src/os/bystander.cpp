#include "os/bystander.hpp"

#include "os/error.hpp"
#include "os/memory_reserve.hpp"
#include "os/process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <limits>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace finally_run::os {

pid_t fork_quietly() {
    // Some machines take the arguments in another order, which does not matter: all others are 0.
    const auto clone = [](unsigned long signal) {
        return ::syscall(SYS_clone, signal, nullptr, nullptr, nullptr, nullptr);
    };
    const long pid = clone(0);
    // A user-mode emulator (QEMU's, in a container of another architecture) knows no other signal than that of fork(2).
    return static_cast<pid_t>(pid < 0 && errno == EINVAL ? clone(SIGCHLD) : pid);
}

pid_t fork_apart(int fd, const char* name) {
    int subreaper = 0;
    ::prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0);
    ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    ::fcntl(fd, F_SETOWN, 0);
    const pid_t between = ::vfork(); // NOLINT: only system calls follow in it
    if (between == 0) {
        ::setsid();                          // NOLINT: a system call, as the next
        ::prctl(PR_SET_NAME, name, 0, 0, 0); // NOLINT
        const pid_t pid = fork_quietly();    // NOLINT: one system call, and its child has a memory of its own
        if (pid == 0) {
            return 0;
        }
        ::_exit(pid < 0 || ::fcntl(fd, F_SETOWN, pid) < 0 ? 1 : 0);
    }
    while (between > 0 && ::waitpid(between, nullptr, 0) < 0 && errno == EINTR) {
    }
    ::prctl(PR_SET_CHILD_SUBREAPER, subreaper, 0, 0, 0);
    const pid_t owner = between > 0 ? ::fcntl(fd, F_GETOWN) : -1;
    return owner > 0 ? owner : -1;
}

void close_all_but(std::span<const int> kept) {
    int next = 0;
    const auto close_up_to = [&](int end) { // exclusive
        if (end <= next) {
            return;
        }
        if (::syscall(SYS_close_range, static_cast<unsigned>(next), static_cast<unsigned>(end) - 1U, 0U) < 0) {
            for (const int fd : open_descriptors()) { // an old kernel
                if (fd >= next && fd < end) {
                    ::close(fd);
                }
            }
        }
    };
    for (const int fd : kept) {
        if (fd < 0) {
            continue;
        }
        close_up_to(fd);
        next = std::max(next, fd + 1);
    }
    close_up_to(std::numeric_limits<int>::max());
}

void reap_quiet(pid_t pid) {
    siginfo_t info = {}; // waitid(2), without which no run begins; wait4(2) may be refused
    while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | static_cast<int>(__WALL)) < 0 && errno == EINTR) {
    }
}

namespace {

[[noreturn]] void live_as(const Role& role, const MainArgs& main_args, const Bystander::Body& body, int line,
                          Fd apart) {
    try {
        ::prctl(PR_SET_NAME, role.name, 0, 0, 0);
        if (::setsid() < 0) { // refused by a filter
            ::setpgid(0, 0);
        }
        apart.reset();
        if (body.null >= 0) {
            ::dup2(body.null, STDIN_FILENO);
            ::dup2(body.null, STDOUT_FILENO);
        }
        close_all_but(body.needed);
        set_title(role.title, title_place(main_args));
        body.live(line);
    } catch (...) { // said where it happened; the journal remains
    }
    ::_exit(0);
}

} // namespace

void Bystander::start(Kin kin, Fd ours, Fd line, const Role& role, const MainArgs& main_args, Body body) {
    if (!keep_memory_back(body.memory)) {
        throw_error(ENOMEM, "cannot start the " + std::string(role.what));
    }
    body.needed.insert(body.needed.end(), {line.get(), STDERR_FILENO});
    if (body.null >= 0) {
        body.needed.insert(body.needed.end(), {STDIN_FILENO, STDOUT_FILENO});
    }
    std::ranges::sort(body.needed);
    pid_t pid = kin == Kin::nobodys ? fork_apart(line.get(), role.name) : -1;
    Fd apart; // whose last end is closed when it is
    if (pid < 0) {
        kin = Kin::child;
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
            throw_errno("cannot start the " + std::string(role.what));
        }
        m_apart = Fd(ends[0]);
        apart = Fd(ends[1]);
        pid = fork_quietly();
    }
    if (pid < 0) {
        throw_errno("cannot start the " + std::string(role.what));
    }
    if (pid == 0) {
        ours.reset();
        m_line.reset();
        live_as(role, main_args, body, line.get(), std::move(apart));
    }
    m_pid = pid;
    m_kin = kin;
    m_line = std::move(ours);
    m_pidfd.reset();
    if (kin == Kin::nobodys) {
        m_pidfd = open_pidfd(pid);
        m_pidfd = m_pidfd ? moved_high(std::move(m_pidfd)) : Fd();
    }
}

void Bystander::await_apart() noexcept {
    char nothing = 0;
    while (m_apart && ::read(m_apart.get(), &nothing, 1) < 0 && errno == EINTR) {
    }
    m_apart.reset();
}

// Whether it holds its end of the line. Then its pid is still its own.
bool Bystander::lives() const noexcept {
    pollfd look{m_line.get(), 0, 0};
    return ::poll(&look, 1, 0) == 0;
}

void Bystander::kill() const noexcept {
    if (m_pid <= 0) {
        return;
    }
    if (m_pidfd && ::syscall(SYS_pidfd_send_signal, m_pidfd.get(), SIGKILL, nullptr, 0) == 0) {
        return;
    }
    if (m_kin == Kin::child || lives()) { // not reaped yet
        ::kill(m_pid, SIGKILL);
    }
}

void Bystander::await_end() {
    if (m_pid > 0 && m_kin == Kin::child) {
        reap_quiet(m_pid);
    } else if (m_pid > 0) {
        // Without a pidfd the end of the line is near enough: it is closed by the end of the process.
        pollfd gone{m_pidfd ? m_pidfd.get() : m_line.get(), static_cast<short>(m_pidfd ? POLLIN : 0), 0};
        while (::poll(&gone, 1, -1) < 0 && errno == EINTR) {
        }
    }
    m_pid = 0;
    m_pidfd.reset();
    m_line.reset();
}

void OwnEnvironment::take(const Environment& environment) {
    const std::size_t count = count_entries(environment.block());
    m_block.reserve(count + 1);
    for (std::size_t i = 0; i <= count; ++i) {
        m_block.push_back(const_cast<char*>(environment.block()[i])); // as environ is; nobody writes there
    }
    environ = m_block.data();
}

} // namespace finally_run::os
