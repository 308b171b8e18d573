// A forked process that is held at the system calls of the test's choice: ptrace(2).
#pragma once

#include "support/forked.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

namespace finally_run::test {

class Traced {
public:
    // `body` begins with the first call of the others.
    template <class Body>
    explicit Traced(const Body& body)
        : m_process([&] {
              ::ptrace(PTRACE_TRACEME, 0, 0, 0);
              ::raise(SIGSTOP);
              body();
          }) {
        static_cast<void>(::waitpid(m_process.pid(), nullptr, WUNTRACED));
        ::ptrace(PTRACE_SETOPTIONS, m_process.pid(), 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    }

    // Lets it go on until it has made this system call. False if it ended before.
    bool hold_after(long number, std::array<std::uint64_t, 6>* arguments = nullptr) {
        bool found = false;
        for (;;) {
            int status = 0;
            if (::ptrace(PTRACE_SYSCALL, m_process.pid(), 0, 0) < 0 || ::waitpid(m_process.pid(), &status, 0) < 0 ||
                !WIFSTOPPED(status)) {
                m_status = status;
                return false;
            }
            __ptrace_syscall_info info{};
            ::ptrace(PTRACE_GET_SYSCALL_INFO, m_process.pid(), sizeof info, &info);
            if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
                found = info.entry.nr == static_cast<unsigned long>(number);
                if (found && arguments != nullptr) {
                    std::ranges::copy(info.entry.args, arguments->begin());
                }
            } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && found) {
                return true;
            }
        }
    }
#if defined(__x86_64__)
    // Lets it go on to its next clone(2), and makes a fork of that, as emulators do. False if it ended before.
    bool fork_instead_of_clone() {
        for (;;) {
            int status = 0;
            if (::ptrace(PTRACE_SYSCALL, m_process.pid(), 0, 0) < 0 || ::waitpid(m_process.pid(), &status, 0) < 0 ||
                !WIFSTOPPED(status)) {
                return false;
            }
            user_regs_struct registers{};
            ::ptrace(PTRACE_GETREGS, m_process.pid(), 0, &registers);
            if (registers.orig_rax == SYS_clone && (registers.rdi & CLONE_VFORK) != 0) {
                registers.rdi &= ~static_cast<unsigned long long>(CLONE_VM | CLONE_VFORK);
                return ::ptrace(PTRACE_SETREGS, m_process.pid(), 0, &registers) == 0;
            }
        }
    }
#endif
    // Lets it go on to its end; `change(pid, arguments)` is called each time that it has made this system call.
    template <class Change> bool succeeded(long number, const Change& change) {
        for (std::array<std::uint64_t, 6> arguments{}; hold_after(number, &arguments);) {
            change(m_process.pid(), arguments);
        }
        return m_status == 0;
    }
    // Lets it go on, and holds it no more.
    void let_go() { ::ptrace(PTRACE_DETACH, m_process.pid(), 0, 0); }
    // Lets it go on to its end.
    bool succeeded() {
        let_go();
        return m_process.succeeded();
    }
    [[nodiscard]] pid_t pid() const { return m_process.pid(); }

private:
    Forked m_process;
    int m_status = -1; // of its end, if it was seen
};

} // namespace finally_run::test
