#include "os/spawn.hpp"

#include "os/variables.hpp"

#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/stdio.hpp>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <span>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/wait.h>
#include <type_traits>
#include <unistd.h>
#include <utility>
#include <vector>

namespace finally_run::os {

std::vector<std::string> candidates(std::string_view program, const char* const* env) {
    if (program.empty()) {
        return {};
    }
    if (program.find('/') != std::string_view::npos) {
        return {std::string(program)};
    }
    const char* const path = variable_in(env, "PATH");
    std::string_view rest = path != nullptr ? path : "/bin:/usr/bin";
    std::vector<std::string> found;
    for (;;) {
        const auto colon = rest.find(':');
        const auto directory = rest.substr(0, colon);
        found.push_back(directory.empty() ? std::string(program) : std::string(directory).append("/").append(program));
        if (colon == std::string_view::npos) {
            return found;
        }
        rest.remove_prefix(colon + 1);
    }
}

namespace {

namespace bp = boost::process::v2;

bp::error_code last_error() { return {errno, boost::system::generic_category()}; }

// Initializers in the sense of Boost.Process: on_exec_setup runs in the child, before execve(2).

void set_disposition(int signal, const SignalState& wanted) {
    struct sigaction action = {};
    action.sa_handler = ::sigismember(&wanted.ignored, signal) == 1 ? SIG_IGN : SIG_DFL;
    ::sigaction(signal, &action, nullptr);
}

// To ignore a pending signal discards it, blocked or not: sigaction(2).
void discard_pending(int signal, const SignalState& wanted) {
    struct sigaction ignore = {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(signal, &ignore, nullptr);
    set_disposition(signal, wanted);
}

// What was sent to the group that the child has just left: it was not for the child, and would hit it as soon as it
// unblocks its signals.
void discard_all_pending(const SignalState& wanted) {
    sigset_t pending;
    if (::sigpending(&pending) < 0 || ::sigisemptyset(&pending) == 1) {
        return;
    }
    for (int signal = 1; signal <= SIGRTMAX; ++signal) {
        if (::sigismember(&pending, signal) == 1) {
            discard_pending(signal, wanted);
        }
    }
}

struct PlacementInit {
    Placement placement;
    const SignalState& signals;

    bp::error_code on_exec_setup(bp::posix::default_launcher&, const bp::filesystem::path&, const char* const*) const {
        if (placement == Placement::shared_group) {
            return {};
        }
        // A child of ours leads no group yet: only a filter refuses it a session. A group of its own is next to that.
        if ((placement == Placement::own_group || ::setsid() < 0) && ::setpgid(0, 0) < 0) {
            return last_error();
        }
        discard_all_pending(signals);
        return {};
    }
};

struct DirectoryInit {
    int directory;
    const std::optional<mode_t>& mask;

    bp::error_code on_exec_setup(bp::posix::default_launcher&, const bp::filesystem::path&, const char* const*) const {
        if (mask) {
            ::umask(*mask);
        }
        return directory != AT_FDCWD && ::fchdir(directory) < 0 ? last_error() : bp::error_code();
    }
};

struct CallInit {
    const std::function<int()>& call;
    const SignalState& signals;
    pid_t parent = ::getpid();

    bp::error_code on_exec_setup(bp::posix::default_launcher&, const bp::filesystem::path&, const char* const*) const {
        if (call) {
            // Killed meanwhile, our parent has nobody to answer for what we would become.
            if (::getppid() != parent) {
                ::_exit(127);
            }
            const int error = call();
            // A write beyond the limit on files would hit the program as soon as it unblocks its signals.
            discard_pending(SIGXFSZ, signals);
            return {error, boost::system::generic_category()};
        }
        return {};
    }
};

// To ask for each of them would be 64 system calls.
struct DispositionsInit {
    const SignalState& signals;
    const sigset_t& ignored_here;

    bp::error_code on_exec_setup(bp::posix::default_launcher&, const bp::filesystem::path&, const char* const*) const {
        for (int signal = 1; signal <= SIGRTMAX; ++signal) {
            if (::sigismember(&signals.ignored, signal) != ::sigismember(&ignored_here, signal)) {
                set_disposition(signal, signals);
            }
        }
        return {};
    }
};

// The child does not return from its functions: what AddressSanitizer has marked in its stack would stay marked in
// ours.
void unpoison(std::span<const std::byte> memory) {
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(memory.data(), memory.size());
#endif
    static_cast<void>(memory);
}

// Boost's launchers close descriptors that must be inherited, call exit(3) in the child and report nothing that tells a
// failed set-up from a failed exec. This one takes their initializers, its documented way to be extended, and starts
// the child on its own: clone(2) with CLONE_VM and CLONE_VFORK shares our memory, and our stack frame holds its stack.
class CloneLauncher : public bp::posix::default_launcher {
public:
    explicit CloneLauncher(const sigset_t& mask) : m_mask(mask) {}

    template <class... Inits>
    SpawnResult start(const char* const* argv, const char* const* environment, Inits&&... inits) {
        m_argv = argv;
        m_candidates = candidates(argv[0], environment);
        // A script without a #! line: execvp(3) gives it to the shell.
        m_shell_argv = {"sh", nullptr};
        for (const char* const* arg = argv + 1; *arg != nullptr; ++arg) {
            m_shell_argv.push_back(*arg);
        }
        m_shell_argv.push_back(nullptr);

        auto prepare = [&] {
            bp::error_code error;
            // In their order, up to the first that fails.
            static_cast<void>(((error = inits.on_exec_setup(*this, m_executable, m_argv), !error) && ...));
            return error;
        };
        using Prepare = decltype(prepare);
        struct Child {
            CloneLauncher& launcher;
            Prepare& prepare;
        } child{*this, prepare};
        const auto run = [](void* argument) -> int {
            const Child& self = *static_cast<Child*>(argument);
            self.launcher.run_child(self.prepare);
            ::_exit(127);
        };

        open_report();
        // Grows down on all that Debian runs on. Initializers and execve(2) need little of it.
        alignas(16) std::array<std::byte, 32768> stack;
        const int child_pid = ::clone(run, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD, &child);
        const int error = errno;
        unpoison(stack);
        if (child_pid < 0) {
            return {.error = error};
        }
        const Failure failure = m_memory_shared ? m_failure : read_report();
        if (failure.error == 0) {
            return {.pid = child_pid};
        }
        while (::waitpid(child_pid, nullptr, 0) < 0 && errno == EINTR) {
        }
        return {.error = failure.error, .exec_failed = failure.exec_failed};
    }

private:
    struct Failure {
        int error = 0; // errno
        bool exec_failed = false;
    };

    // Valgrind and user-mode emulators make a fork of our clone(2): what the child writes to memory then stays its own,
    // and we go on at once. For them there is a pipe, whose other end execve(2) closes. Without descriptors for it the
    // shared memory has to do.
    void open_report() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
            return;
        }
        m_report_reader = Fd(ends[0]);
        m_report_writer = Fd(ends[1]);
        if (ends[1] > STDERR_FILENO) { // else it is in the way of what the child makes of its stdio
            return;
        }
        m_report_writer = Fd(::fcntl(ends[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    }

    Failure read_report() {
        m_report_writer.reset();
        Failure failure;
        ssize_t got = -1;
        do {
            got = ::read(m_report_reader.get(), &failure, sizeof failure);
        } while (got < 0 && errno == EINTR);
        return got == sizeof failure ? failure : Failure{};
    }

    void report(Failure failure) {
        m_failure = failure;
        [[maybe_unused]] const auto written = ::write(m_report_writer.get(), &failure, sizeof failure);
    }

    // In the child: only async-signal-safe calls, on data prepared above.
    template <class Prepare> void run_child(Prepare& prepare) {
        m_memory_shared = true;
        if (const bp::error_code error = prepare()) {
            report({error.value() != 0 ? error.value() : EINVAL, false});
            return;
        }
        bool denied = false;
        int error = ENOENT;
        for (const std::string& candidate : m_candidates) {
            error = try_candidate(candidate.c_str());
            denied = denied || error == EACCES;
            const bool absent = error == EACCES || error == ENOENT || error == ENOTDIR || error == ESTALE ||
                                error == ENODEV || error == ETIMEDOUT;
            if (!absent) {
                break;
            }
        }
        report({denied && error == ENOENT ? EACCES : error, true});
    }

    // Returns only with an errno. Our parent does nothing before execve(2) has succeeded: with its signals unblocked,
    // the child could be stopped meanwhile, by Ctrl+Z, and the parent with it. So they are for no longer than that call
    // takes.
    int try_candidate(const char* candidate) {
        // Only a shortcut: whether a file that is there can be run, execve(2) alone decides.
        if (::access(candidate, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR)) {
            return errno;
        }
        sigset_t blocked;
        ::sigprocmask(SIG_SETMASK, &m_mask, &blocked);
        ::execve(candidate, const_cast<char* const*>(m_argv), const_cast<char* const*>(env));
        int error = errno;
        if (error == ENOEXEC) {
            m_shell_argv[1] = candidate;
            ::execve("/bin/sh", const_cast<char* const*>(m_shell_argv.data()), const_cast<char* const*>(env));
            error = errno;
        }
        ::sigprocmask(SIG_SETMASK, &blocked, nullptr);
        return error;
    }

    const sigset_t& m_mask;            // what the program starts with
    bp::filesystem::path m_executable; // not used: the candidates are
    const char* const* m_argv = nullptr;
    std::vector<std::string> m_candidates;
    std::vector<const char*> m_shell_argv;
    // Written by the child, in our memory; still 0 if it got to its program, or was killed on the way.
    Failure m_failure;
    volatile bool m_memory_shared = false;
    Fd m_report_reader;
    Fd m_report_writer;
};

} // namespace

bool SpawnResult::lacked_resources() const {
    return error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE;
}

int SpawnResult::shell_code() const { return error == ENOENT ? 127 : 126; }

SpawnResult spawn(const SpawnRequest& request) {
    CloneLauncher launcher(request.signals.mask);
    launcher.env = request.env;
    const PlacementInit placement{request.placement, request.signals};
    const DirectoryInit directory{request.directory, request.mask};
    const DispositionsInit dispositions{request.signals, request.ignored_here};
    const CallInit call{request.in_child, request.signals};
    if (!request.stdio) {
        return launcher.start(request.argv, request.env, placement, directory, call, dispositions);
    }
    bp::process_stdio stdio{request.stdio->in, request.stdio->out, request.stdio->err};
    return launcher.start(request.argv, request.env, placement, directory, stdio, call, dispositions);
}

} // namespace finally_run::os
