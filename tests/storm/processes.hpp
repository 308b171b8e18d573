// Looks at processes, and kills them for sure.
#pragma once

#include "support/proc.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace finally_run::storm {

using Process = test::ProcStat;

[[nodiscard]] std::vector<Process> living_processes();

// It no longer holds what it held, or is just letting it go.
[[nodiscard]] bool is_ending(pid_t pid);

// One process, whoever may have its pid later.
class Target {
public:
    explicit Target(const Process& process);
    Target(Target&& other) noexcept;
    Target(const Target&) = delete;
    Target& operator=(const Target&) = delete;
    Target& operator=(Target&&) = delete;
    ~Target();

    [[nodiscard]] const Process& process() const { return m_process; }
    bool kill() const; // false: it was gone
    bool send(int signal) const;
    void wait() const; // until it runs no more
    void kill_and_wait() const;

private:
    Process m_process;
    int m_pidfd;
};

// Starts a program with this process's environment, and waits for it: its status as of waitpid(2).
[[nodiscard]] pid_t start(const std::vector<std::string>& words);
[[nodiscard]] int wait_for(pid_t pid);

} // namespace finally_run::storm
