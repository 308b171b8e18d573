#include "engine/helper.hpp"

#include "os/error.hpp"
#include "os/signals.hpp"
#include "os/spawn.hpp"
#include "os/write_all.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace finally_run::engine {

namespace {

struct Pipe {
    os::Fd reader;
    os::Fd writer;
};

Pipe make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
        os::throw_errno("pipe");
    }
    Pipe made{os::Fd(ends[0]), os::Fd(ends[1])};
    made.reader = os::moved_high(std::move(made.reader));
    made.writer = os::moved_high(std::move(made.writer));
    return made;
}

// Of our end alone: the other end of a pipe has flags of its own.
void do_not_block(const os::Fd& fd) { ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK); }

} // namespace

Helper::Helper(const std::filesystem::path& program, const std::string& name, const char* const* env,
               const sigset_t& ignored_here) {
    Pipe in = make_pipe();
    Pipe out = make_pipe();
    Pipe err = make_pipe();
    const std::array<const char*, 3> argv{program.c_str(), name.c_str(), nullptr};
    os::SpawnRequest request{};
    request.argv = argv.data();
    request.env = env;
    request.signals = os::default_signals();
    request.ignored_here = ignored_here;
    request.placement = os::Placement::own_session;
    request.stdio = os::Stdio{in.reader.get(), out.writer.get(), err.writer.get()};
    request.in_child = [keeper = ::getpid()] {
        if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) {
            return errno;
        }
        return ::getppid() == keeper ? 0 : ESRCH; // it may have ended before
    };
    const os::SpawnResult result = os::spawn(request);
    if (!result.started()) {
        os::throw_error(result.error, "cannot run", program.native());
    }
    m_pid = result.pid;
    m_in = std::move(in.writer);
    m_out = std::move(out.reader);
    m_err = std::move(err.reader);
    do_not_block(m_out);
    do_not_block(m_err);
}

Helper::~Helper() {
    if (m_pid > 0) {
        signal(SIGKILL);
        while (::waitpid(m_pid, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
}

std::string Helper::read(os::Fd& fd) {
    std::string bytes(4096, '\0');
    const ssize_t got = fd ? ::read(fd.get(), bytes.data(), bytes.size()) : 0;
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        fd.reset();
    }
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
}

void Helper::tell(std::string_view line) const {
    if (m_in) {
        constexpr auto patience = std::chrono::seconds(1);
        static_cast<void>(os::write_all(m_in.get(), std::string(line) + "\n", patience));
    }
}

void Helper::signal(int number) const {
    if (m_pid > 0 && ::kill(-m_pid, number) < 0) { // not reaped: nobody else has the number
        ::kill(m_pid, number);
    }
}

std::optional<os::WaitStatus> Helper::look() {
    siginfo_t info = {};
    if (m_pid <= 0) {
        return std::nullopt;
    }
    while (::waitid(P_PID, static_cast<id_t>(m_pid), &info, WSTOPPED | WNOHANG) == 0 && info.si_pid != 0) {
        signal(SIGCONT); // it could not answer its engine, which would free the lock without our knowledge
        info = {};
    }
    if (::waitid(P_PID, static_cast<id_t>(m_pid), &info, WEXITED | WNOHANG | WNOWAIT) < 0) {
        m_pid = 0; // somebody else has reaped it
        return os::WaitStatus::killed(SIGKILL);
    }
    if (info.si_pid == 0) {
        return std::nullopt;
    }
    ::kill(-m_pid, SIGKILL); // what it leaves could go on holding the lock, unseen
    ::waitid(P_PID, static_cast<id_t>(m_pid), &info, WEXITED | WNOHANG);
    m_pid = 0;
    return os::WaitStatus::from(info);
}

} // namespace finally_run::engine
