// Waiting for and looking at processes; the registers of a system call.
#include "processes.hpp"

#include "marks.hpp"

#include <elf.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <vector>

namespace finally_run::crash {

namespace fs = std::filesystem;

namespace {

sigset_t awaited_signals() {
    sigset_t awaited;
    ::sigemptyset(&awaited);
    ::sigaddset(&awaited, SIGCHLD);
    ::sigaddset(&awaited, told_signal);
    return awaited;
}

std::string read_whole(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf(); // empty if the process has gone
    return text.str();
}

// Empty if there is none.
std::string field_of_status(pid_t pid, const std::string& name) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.compare(0, name.size() + 2, name + ":\t") == 0) {
            return line.substr(name.size() + 2);
        }
    }
    return {};
}

struct Child {
    pid_t pid;
    bool exiting; // or a zombie
};

std::vector<Child> children_of_ours() {
    std::vector<Child> children;
    for (const auto& entry : fs::directory_iterator("/proc", fs::directory_options::skip_permission_denied)) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) {
            continue;
        }
        // "PID (NAME) STATE PARENT GROUP SESSION TERMINAL ITS_GROUP FLAGS ..."
        const std::string stat = read_whole(entry.path() / "stat");
        const auto close = std::min(stat.rfind(')'), stat.size());
        std::istringstream fields(stat.substr(std::min(close + 1, stat.size())));
        char state = 0;
        std::array<long, 5> numbers{};
        unsigned long flags = 0;
        fields >> state;
        for (long& number : numbers) {
            fields >> number;
        }
        fields >> flags;
        constexpr unsigned long exiting = 4; // PF_EXITING, which no header has
        if (fields && numbers[0] == ::getpid()) {
            children.push_back({std::atoi(name.c_str()), state == 'Z' || (flags & exiting) != 0});
        }
    }
    return children;
}

} // namespace

void throw_errno(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

void block_signals() {
    for (int signal = 1; signal < NSIG; ++signal) {
        std::signal(signal, SIG_DFL); // what is started inherits what is ignored
    }
    const sigset_t awaited = awaited_signals();
    ::sigprocmask(SIG_BLOCK, &awaited, nullptr);
}

std::optional<Woken> wait_for_signal(Deadline deadline) {
    const sigset_t awaited = awaited_signals();
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - Deadline::clock::now());
        if (left.count() <= 0) {
            return std::nullopt;
        }
        const timespec time{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
        siginfo_t info{};
        const int signal = ::sigtimedwait(&awaited, &info, &time);
        if (signal == SIGCHLD) {
            return Woken{};
        }
        if (signal == told_signal) {
            return Woken{reinterpret_cast<std::uintptr_t>(info.si_value.sival_ptr)};
        }
    }
}

void forget_signals() {
    const sigset_t awaited = awaited_signals();
    const timespec now{};
    while (::sigtimedwait(&awaited, nullptr, &now) > 0) {
    }
}

std::string command_line(pid_t pid) {
    std::string words = read_whole("/proc/" + std::to_string(pid) + "/cmdline");
    std::replace(words.begin(), words.end(), '\0', ' ');
    return words;
}

bool is_thread_of(pid_t pid, pid_t process) {
    return fs::exists("/proc/" + std::to_string(process) + "/task/" + std::to_string(pid));
}

bool is_running(pid_t pid) {
    const std::string state = field_of_status(pid, "State");
    return !state.empty() && state.front() != 'Z' && state.front() != 'X';
}

std::string name_of_process(pid_t pid) { return read_whole("/proc/" + std::to_string(pid) + "/comm"); }

Family family_of(pid_t pid) {
    return {std::atoi(field_of_status(pid, "Tgid").c_str()), std::atoi(field_of_status(pid, "PPid").c_str())};
}

bool was_made_to_run_a_program(pid_t pid) {
    long call = 0;
    unsigned long flags = 0;
    std::ifstream file("/proc/" + std::to_string(pid) + "/syscall"); // "NUMBER ARGUMENT..."
    file >> call >> std::hex >> flags;
    return !file || (call != SYS_clone) || (flags & CLONE_VFORK) != 0;
}

bool blocks(pid_t pid, int signal) {
    std::uint64_t mask = 0; // the kernel's own, of 64 signals
    return ::ptrace(PTRACE_GETSIGMASK, pid, sizeof mask, &mask) == 0 && (mask >> (signal - 1) & 1U) != 0;
}

bool has_children() {
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

bool has_running_children() {
    const auto children = has_children() ? children_of_ours() : std::vector<Child>();
    return std::any_of(children.begin(), children.end(), [](const Child& child) { return !child.exiting; });
}

void kill_descendants() {
    while (has_children()) {
        for (const Child& child : children_of_ours()) {
            ::kill(child.pid, SIGKILL);
        }
        int status = 0;
        while (::waitpid(-1, &status, __WALL) > 0 && WIFSTOPPED(status)) {
        }
    }
}

#if defined(__x86_64__)

void skip_call(pid_t pid) { ::ptrace(PTRACE_POKEUSER, pid, offsetof(user_regs_struct, orig_rax), -1L); }

void set_result(pid_t pid, long result) { ::ptrace(PTRACE_POKEUSER, pid, offsetof(user_regs_struct, rax), result); }

#elif defined(__aarch64__)

void skip_call(pid_t pid) {
    int number = -1;
    iovec data{&number, sizeof number};
    ::ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &data);
}

void set_result(pid_t pid, long result) {
    user_regs_struct registers{};
    iovec data{&registers, sizeof registers};
    ::ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &data);
    registers.regs[0] = static_cast<unsigned long long>(result);
    ::ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &data);
}

#else
#error "where the registers of a system call are, is not known here"
#endif

} // namespace finally_run::crash
