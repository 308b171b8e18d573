// What a test may change of its own process, and how it is put back.
#pragma once

#include <array>
#include <csignal>
#include <sys/resource.h>
#include <sys/types.h>
#include <vector>

namespace finally_run::test {

// Environment, directory, umask, standard descriptors, limits, name, subreaper, signal mask and dispositions, as they
// are when this is made.
class ProcessState {
public:
    ProcessState();
    ProcessState(const ProcessState&) = delete;
    ProcessState& operator=(const ProcessState&) = delete;
    ~ProcessState();

    // Also kills and reaps all children, and forgets the signals that are pending.
    void restore() const;

private:
    static constexpr std::array limits{RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_STACK};

    std::vector<char*> m_variables;
    int m_directory;
    mode_t m_umask;
    std::array<int, 3> m_standard{};
    std::array<rlimit, limits.size()> m_limits{};
    std::array<char, 16> m_name{};
    int m_subreaper = 0;
    sigset_t m_mask{};
    std::array<struct sigaction, NSIG> m_actions{};
};

} // namespace finally_run::test
