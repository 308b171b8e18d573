#include "support/process_state.hpp"

#include "support/proc.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace finally_run::test {

namespace {

// Out of the way of the numbers that tests want for themselves.
constexpr int high = 500;

int kept(int fd) {
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, high);
    if (copy < 0) {
        throw std::system_error(errno, std::generic_category(), "F_DUPFD_CLOEXEC");
    }
    return copy;
}

mode_t current_umask() {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    return mask;
}

// Those that lose their parent meanwhile become our children if we are the subreaper.
void end_children() {
    siginfo_t info{};
    while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0) {
        for (const ProcStat& process : all_processes()) {
            if (process.parent == ::getpid()) {
                ::kill(process.pid, SIGKILL);
            }
        }
        ::waitpid(-1, nullptr, __WALL);
    }
}

} // namespace

ProcessState::ProcessState() : m_umask(current_umask()) {
    for (char** variable = environ; *variable != nullptr; ++variable) {
        m_variables.push_back(*variable);
    }
    m_variables.push_back(nullptr);
    const int directory = ::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    m_directory = kept(directory);
    ::close(directory);
    for (int fd = 0; fd < 3; ++fd) {
        m_standard.at(static_cast<std::size_t>(fd)) = kept(fd);
    }
    for (std::size_t i = 0; i < limits.size(); ++i) {
        ::getrlimit(limits.at(i), &m_limits.at(i));
    }
    ::prctl(PR_GET_NAME, m_name.data(), 0, 0, 0);
    ::prctl(PR_GET_CHILD_SUBREAPER, &m_subreaper, 0, 0, 0);
    ::sigprocmask(SIG_SETMASK, nullptr, &m_mask);
    for (int signal = 1; signal < NSIG; ++signal) {
        ::sigaction(signal, nullptr, &m_actions.at(static_cast<std::size_t>(signal)));
    }
}

ProcessState::~ProcessState() {
    for (const int fd : m_standard) {
        ::close(fd);
    }
    ::close(m_directory);
}

void ProcessState::restore() const {
    for (std::size_t i = 0; i < limits.size(); ++i) {
        ::setrlimit(limits.at(i), &m_limits.at(i));
    }
    for (int fd = 0; fd < 3; ++fd) {
        ::dup2(m_standard.at(static_cast<std::size_t>(fd)), fd);
    }
    end_children();
    struct sigaction ignored {};
    ignored.sa_handler = SIG_IGN;
    for (int signal = 1; signal < NSIG; ++signal) {
        ::sigaction(signal, &ignored, nullptr); // which discards one that is pending: sigaction(2)
        ::sigaction(signal, &m_actions.at(static_cast<std::size_t>(signal)), nullptr);
    }
    ::sigprocmask(SIG_SETMASK, &m_mask, nullptr);
    ::prctl(PR_SET_CHILD_SUBREAPER, m_subreaper, 0, 0, 0);
    ::prctl(PR_SET_NAME, m_name.data(), 0, 0, 0);
    ::umask(m_umask);
    static_cast<void>(::fchdir(m_directory));
    // setenv(3) and unsetenv(3) change the array in place, or free it when it has to grow, but never the strings.
    static std::vector<char*> restored;
    restored = m_variables;
    environ = restored.data();
}

} // namespace finally_run::test
