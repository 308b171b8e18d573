// From the words of a scenario to a process.
#include "launch.hpp"

#include "filter.hpp"
#include "processes.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <system_error>

namespace finally_run::crash {

namespace {

void replace_all(std::string& text, const std::string& what, const std::string& by) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
        text.replace(at, what.size(), by);
    }
}

Words filled_in(Words words, const std::string& directory) {
    for (std::string& word : words) {
        replace_all(word, "{finally-run}", FINALLY_RUN_BINARY);
        replace_all(word, "{helper}", directory + "/../crash_helper"); // a link: the program's path may have blanks
        replace_all(word, "{dir}", directory);
        replace_all(word, "{harness}", std::to_string(::getpid()));
    }
    return words;
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
    std::vector<char*> result;
    for (const std::string& word : words) {
        result.push_back(const_cast<char*>(word.c_str()));
    }
    result.push_back(nullptr);
    return result;
}

// What the child needs: it shares our memory, so that none has to be copied for it.
struct Start {
    const Launch& launch;
    std::vector<char*> argv;
    std::vector<char*> environment;
    int go = -1;
};

int become(void* argument) {
    const Start& start = *static_cast<const Start*>(argument);
    const Launch& launch = start.launch;
    char byte = 0;
    if (::read(start.go, &byte, 1) != 1) {
        ::_exit(99);
    }
    ::setsid();
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    const int err = ::open(launch.stderr_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ::dup2(null, STDIN_FILENO);
    ::dup2(null, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (::chdir(launch.directory.c_str()) == 0 && (launch.filter.empty() || install(launch.filter))) {
        ::execve(start.argv[0], start.argv.data(), start.environment.data());
    }
    ::_exit(99);
}

} // namespace

Launch launch_of(const Words& words, const Words& environment, const std::filesystem::path& directory) {
    const std::string here = directory.native();
    return {filled_in(words, here), filled_in(environment, here), here, here + "/err", {}};
}

std::pair<pid_t, int> start_seized(const Launch& launch, long options) {
    static std::array<std::byte, 65'536> stack;
    std::array<int, 2> go{};
    if (::pipe2(go.data(), O_CLOEXEC) < 0) {
        throw_errno("pipe2");
    }
    Start start{launch, pointers(launch.argv), pointers(launch.environment), go[0]};
    const pid_t pid = ::clone(become, stack.data() + stack.size(), CLONE_VM | SIGCHLD, &start);
    if (pid < 0) {
        throw_errno("clone");
    }
    if (::ptrace(PTRACE_SEIZE, pid, 0, options) < 0) {
        const int error = errno;
        ::kill(pid, SIGKILL);
        errno = error;
        throw_errno("ptrace: nobody may be traced here");
    }
    int status = 0;
    const bool told = ::write(go[1], "", 1) == 1;
    ::close(go[0]);
    ::close(go[1]);
    if (!told || ::waitpid(pid, &status, __WALL) != pid) {
        throw_errno("a program that is started");
    }
    return {pid, status};
}

} // namespace finally_run::crash
