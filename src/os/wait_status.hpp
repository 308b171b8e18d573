// What waitid(2), or wait(2), says of a process that ended: the one place where it is decoded.
#pragma once

#include <csignal>
#include <sys/wait.h>

namespace finally_run::os {

class WaitStatus {
public:
    [[nodiscard]] static WaitStatus exited(int code) { return {code, 0}; }
    [[nodiscard]] static WaitStatus killed(int signal) { return {0, signal}; }
    // `info` must be of a child that ended (CLD_EXITED, CLD_KILLED or CLD_DUMPED).
    [[nodiscard]] static WaitStatus from(const siginfo_t& info) {
        return info.si_code == CLD_EXITED ? exited(info.si_status) : killed(info.si_status);
    }
    // `status` must be of a process that ended.
    [[nodiscard]] static WaitStatus from_wait(int status) {
        return WIFSIGNALED(status) ? killed(WTERMSIG(status)) : exited(WEXITSTATUS(status));
    }

    [[nodiscard]] bool success() const { return m_signal == 0 && m_code == 0; }
    [[nodiscard]] int signal() const { return m_signal; } // 0: it exited by itself
    // As a shell shows it: the exit code, or 128+n for signal n.
    [[nodiscard]] int shell_code() const { return m_signal != 0 ? 128 + m_signal : m_code; }

private:
    WaitStatus(int code, int signal) : m_code(code), m_signal(signal) {}

    int m_code;
    int m_signal;
};

} // namespace finally_run::os
