#include "processes.hpp"

#include "place.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <sstream>
#include <system_error>
#include <utility>

namespace finally_run::storm {

namespace {

constexpr unsigned long exiting = 0x4; // PF_EXITING of the kernel: set before it closes its files

std::string text_of(pid_t pid, const char* file) {
    std::string text;
    const int fd = ::open(("/proc/" + std::to_string(pid) + "/" + file).c_str(), O_RDONLY | O_CLOEXEC);
    std::array<char, 4096> part{};
    // A process that has just ended is no error: ESRCH.
    for (ssize_t got = 0; fd >= 0 && (got = ::read(fd, part.data(), part.size())) > 0;) {
        text.append(part.data(), static_cast<std::size_t>(got));
    }
    if (fd >= 0) {
        ::close(fd);
    }
    return text;
}

} // namespace

std::optional<Process> look_at(pid_t pid) {
    const std::string text = text_of(pid, "stat");
    const auto open = text.find('(');
    const auto close = text.rfind(')');
    if (open == text.npos || close == text.npos) {
        return std::nullopt;
    }
    Process process;
    process.pid = pid;
    process.name = text.substr(open + 1, close - open - 1);
    std::istringstream rest(text.substr(close + 1));
    long skipped = 0;
    rest >> process.state >> process.parent >> skipped >> skipped >> skipped >> skipped >> process.flags;
    return rest ? std::optional(process) : std::nullopt;
}

std::vector<Process> all_processes() {
    std::vector<Process> found;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
        const pid_t pid = std::atoi(entry.path().filename().c_str());
        auto process = pid > 0 ? look_at(pid) : std::nullopt;
        if (process && process->state != 'Z' && process->state != 'X') {
            found.push_back(std::move(*process));
        }
    }
    return found;
}

std::string command_line_of(pid_t pid) {
    std::string text = text_of(pid, "cmdline");
    for (char& c : text) {
        c = c == '\0' ? ' ' : c;
    }
    return text;
}

bool is_ending(pid_t pid) {
    const auto process = look_at(pid);
    return !process || process->state == 'Z' || process->state == 'X' || (process->flags & exiting) != 0;
}

Target::Target(const Process& process)
    : m_process(process), m_pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0))) {
    // Read after the descriptor was opened: so it is that of the process that was looked at, or of none.
    const auto now = look_at(process.pid);
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

bool Target::kill() const {
    return m_pidfd >= 0 && ::syscall(SYS_pidfd_send_signal, m_pidfd, SIGKILL, nullptr, 0) == 0;
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
