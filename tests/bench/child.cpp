#include "child.hpp"

#include "os/error.hpp"

#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace finally_run::bench {

namespace {

std::vector<char*> pointers_to(const Words& words) {
    std::vector<char*> pointers;
    for (const std::string& word : words) {
        pointers.push_back(const_cast<char*>(word.c_str()));
    }
    pointers.push_back(nullptr);
    return pointers;
}

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

} // namespace

Pipe make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) < 0) {
        os::throw_errno("pipe");
    }
    return {os::Fd(ends[0]), os::Fd(ends[1])};
}

os::Fd open_file(const std::string& path, int flags) {
    os::Fd file(::open(path.c_str(), flags | O_CLOEXEC, 0600));
    if (!file) {
        os::throw_errno("open", path);
    }
    return file;
}

Child::Child(const Words& words, const Words& environment, const std::array<int, 3>& standard) : m_name(words.front()) {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    for (int fd = 0; fd < 3; ++fd) {
        ::posix_spawn_file_actions_adddup2(&actions, standard.at(static_cast<std::size_t>(fd)), fd);
    }
    const int error = ::posix_spawn(&m_pid, words.front().c_str(), &actions, nullptr, pointers_to(words).data(),
                                    pointers_to(environment).data());
    ::posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        os::throw_error(error, "start", m_name);
    }
}

Child::Child(Child&& other) noexcept : m_pid(std::exchange(other.m_pid, 0)), m_name(std::move(other.m_name)) {}

Child::~Child() {
    if (m_pid != 0) {
        ::kill(m_pid, SIGKILL);
        ::waitpid(m_pid, nullptr, 0);
    }
}

double Child::wait() {
    int status = 0;
    rusage usage = {};
    ::wait4(std::exchange(m_pid, 0), &status, 0, &usage);
    if (status != 0) {
        throw std::runtime_error(m_name + ": wait status " + std::to_string(status));
    }
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

} // namespace finally_run::bench
