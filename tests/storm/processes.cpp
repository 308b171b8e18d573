#include "processes.hpp"

#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

namespace finally_run::storm {

std::vector<Process> living_processes() {
    auto found = test::all_processes();
    std::erase_if(found, [](const Process& process) { return process.has_ended(); });
    return found;
}

bool is_ending(pid_t pid) {
    const auto process = test::proc_stat(pid);
    return !process || process->is_ending();
}

Target::Target(const Process& process)
    : m_process(process), m_pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0))) {
    // Read after the descriptor was opened: so it is that of the process that was looked at, or of none.
    const auto now = test::proc_stat(process.pid);
    if (m_pidfd >= 0 && (!now || now->name != process.name)) {
        ::close(std::exchange(m_pidfd, -1));
    }
}

Target::Target(Target&& other) noexcept
    : m_process(std::move(other.m_process)), m_pidfd(std::exchange(other.m_pidfd, -1)) {}

Target::~Target() {
    if (m_pidfd >= 0) {
        ::close(m_pidfd);
    }
}

bool Target::kill() const { return send(SIGKILL); }

bool Target::send(int signal) const {
    return m_pidfd >= 0 && ::syscall(SYS_pidfd_send_signal, m_pidfd, signal, nullptr, 0) == 0;
}

void Target::wait() const {
    pollfd fd{m_pidfd, POLLIN, 0};
    while (m_pidfd >= 0 && ::poll(&fd, 1, -1) < 0 && errno == EINTR) {
    }
}

void Target::kill_and_wait() const {
    if (kill()) {
        wait();
    }
}

pid_t start(const std::vector<std::string>& words) {
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (const std::string& word : words) {
        argv.push_back(const_cast<char*>(word.c_str())); // as execve(2) declares it
    }
    argv.push_back(nullptr);
    pid_t pid = 0;
    if (const int error = ::posix_spawn(&pid, argv.front(), nullptr, nullptr, argv.data(), environ); error != 0) {
        throw std::system_error(error, std::generic_category(), words.front());
    }
    return pid;
}

int wait_for(pid_t pid) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

} // namespace finally_run::storm
