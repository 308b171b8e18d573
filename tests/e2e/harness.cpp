// The harness's processes: start, talk to, wait for.
#include "harness.hpp"

#include "case_dir.hpp"
#include "reaping.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <linux/close_range.h>
#include <stdexcept>
#include <system_error>
#include <tuple>

namespace finally_run::e2e {
namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

std::pair<int, int> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        fail("pipe2");
    return {ends[0], ends[1]};
}

// Above every number that a case may want for itself: a dup2 in the child must not hit what is still needed.
int moved_up(int fd) {
    const int high = ::fcntl(fd, F_DUPFD_CLOEXEC, 500);
    if (high < 0)
        fail("F_DUPFD_CLOEXEC");
    return high;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> result;
    for (auto& word : words)
        result.push_back(word.data());
    result.push_back(nullptr);
    return result;
}

} // namespace

std::string binary() {
    const char* const other = std::getenv(test::sanitized_binary);
    return other == nullptr ? FINALLY_RUN_BINARY : other;
}

Run::Run(std::string program, std::vector<std::string> argv)
    : m_program(std::move(program)), m_argv(std::move(argv)), m_env(clean_environment()), m_cwd(work()) {}

Run::Run(std::vector<std::string> args) : Run(binary(), std::move(args)) {
    m_argv.insert(m_argv.begin(), "finally-run");
}

Run Run::of(std::vector<std::string> argv) {
    std::string program = argv.at(0);
    return {std::move(program), std::move(argv)};
}

Run Run::script(std::string text) { return of({"bash", "-c", std::move(text)}); }

Run& Run::env(const std::string& name, std::string value) {
    m_env[name] = std::move(value);
    return *this;
}

Run& Run::cwd(fs::path path) {
    m_cwd = std::move(path);
    return *this;
}

Run& Run::input(std::string text) {
    m_input = std::move(text);
    return open_stdin();
}

Run& Run::open_stdin() {
    m_open_stdin = true;
    return *this;
}

Run& Run::fd(int target, int source) {
    m_fds.emplace_back(target, source);
    return *this;
}

Run& Run::before_exec(std::function<void()> hook) {
    m_hooks.push_back(std::move(hook));
    return *this;
}

pid_t Run::spawn(int in, int out, int err, bool terminal) const {
    std::vector<std::string> words = m_argv;
    std::vector<std::string> settings;
    settings.reserve(m_env.size());
    for (const auto& [name, value] : m_env)
        settings.push_back(name + '=' + value);
    const auto argv = pointers(words);
    const auto envp = pointers(settings);
    const pid_t pid = ::fork();
    if (pid < 0)
        fail("fork");
    if (pid > 0)
        return pid;

    for (int number = 1; number < NSIG; ++number)
        ::signal(number, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::setsid();
    const std::array standard{moved_up(in), moved_up(out), moved_up(err)};
    std::vector<std::pair<int, int>> wanted;
    for (const auto& [target, source] : m_fds)
        wanted.emplace_back(target, moved_up(source));
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    for (int target = 0; target < 3; ++target)
        ::dup2(standard.at(target), target);
    for (const auto& [target, source] : wanted)
        ::dup2(source, target);
    if (terminal)
        ::ioctl(0, TIOCSCTTY, 0);
    bool ready = ::chdir(m_cwd.c_str()) == 0;
    ::umask(022);
    for (const auto& hook : m_hooks)
        hook();
    const std::string path = m_env.at("PATH");
    ::setenv("PATH", path.c_str(), 1);
    if (ready)
        ::execvpe(m_program.c_str(), argv.data(), envp.data());
    ::dprintf(2, "harness: cannot start %s\n", m_program.c_str());
    ::_exit(99);
}

Process Run::start() const {
    const auto [out_read, out_write] = make_pipe();
    const auto [err_read, err_write] = make_pipe();
    int in_read = -1;
    int in_write = -1;
    if (m_open_stdin) {
        std::tie(in_read, in_write) = make_pipe();
    } else {
        in_read = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    const pid_t pid = spawn(in_read, out_write, err_write, false);
    for (const int fd : {in_read, out_write, err_write})
        ::close(fd);
    Process process(pid, in_write, out_read, err_read);
    if (!m_input.empty()) {
        process.write(m_input);
        process.close_in();
    }
    return process;
}

Process Run::start_on_terminal(int master, int slave) const {
    const pid_t pid = spawn(slave, slave, slave, true);
    ::close(slave);
    return {pid, ::fcntl(master, F_DUPFD_CLOEXEC, 3), master, -1};
}

Process::Process(pid_t pid, int in, int out, int err)
    : m_pid(pid), m_pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))),
      m_in(in), m_out{out, {}, 0}, m_err{err, {}, 0} {
    add_own_child(pid);
    for (const int fd : {out, err}) {
        if (fd >= 0)
            ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
}

Process::Process(Process&& other) noexcept
    : m_pid(std::exchange(other.m_pid, -1)), m_pidfd(std::exchange(other.m_pidfd, -1)),
      m_in(std::exchange(other.m_in, -1)), m_out(std::exchange(other.m_out, {})),
      m_err(std::exchange(other.m_err, {})) {}

Process::~Process() {
    if (m_pid > 0) {
        ::kill(m_pid, SIGKILL);
        ::waitpid(m_pid, nullptr, 0);
        remove_own_child(m_pid);
    }
    for (int* fd : {&m_pidfd, &m_in, &m_out.fd, &m_err.fd})
        drop(*fd);
}

void Process::drop(int& fd) {
    if (fd >= 0)
        ::close(fd);
    fd = -1;
}

void Process::signal(int number) const {
    if (::kill(m_pid, number) != 0)
        fail("kill");
}

void Process::write(std::string_view text) const {
    while (!text.empty()) {
        const ssize_t written = ::write(m_in, text.data(), text.size());
        if (written < 0)
            fail("write");
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

bool Process::take(Stream& stream) {
    std::array<char, 65536> buffer{};
    while (stream.fd >= 0) {
        const ssize_t got = ::read(stream.fd, buffer.data(), buffer.size());
        if (got < 0 && errno == EAGAIN)
            return true;
        if (got <= 0)
            drop(stream.fd); // a terminal ends with EIO
        if (got > 0)
            stream.text.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return false;
}

void Process::pump(std::string_view what, const std::function<bool()>& done) {
    for (;;) {
        const bool over = ended(); // asked first: what it has written is then there to be read
        const bool open = static_cast<int>(take(m_out)) + static_cast<int>(take(m_err)) > 0;
        if (done())
            return;
        reap_adopted();
        std::array<pollfd, 4> fds{{{m_out.fd, POLLIN, 0},
                                   {m_err.fd, POLLIN, 0},
                                   {over ? -1 : m_pidfd, POLLIN, 0},
                                   {end_of_children(), POLLIN, 0}}};
        // Once the process has ended, its children may still write: only the deadline can tell.
        if ((over && !open) || ::poll(fds.data(), fds.size(), remaining_ms()) == 0) {
            throw std::runtime_error("waited in vain for " + std::string(what) + "\n--- stdout\n" + m_out.text +
                                     "\n--- stderr\n" + m_err.text);
        }
    }
}

std::string Process::wait_for(Stream& stream, std::string_view part) {
    std::string line;
    pump("a line with '" + std::string(part) + "'", [&] {
        for (std::size_t begin = stream.seen, end = 0; (end = stream.text.find('\n', begin)) != std::string::npos;
             begin = end + 1) {
            line = stream.text.substr(begin, end - begin);
            if (line.find(part) == std::string::npos)
                continue;
            stream.seen = end + 1;
            return true;
        }
        return false;
    });
    return line;
}

std::string Process::wait_for_text(std::string_view part) {
    const std::size_t begin = m_out.seen;
    pump("'" + std::string(part) + "'", [&] {
        const std::size_t at = m_out.text.find(part, begin);
        if (at == std::string::npos)
            return false;
        m_out.seen = at + part.size();
        return true;
    });
    return m_out.text.substr(begin, m_out.seen - begin);
}

void Process::wait_for_times(std::string_view part, std::size_t times) {
    pump("'" + std::string(part) + "'", [&] { return count(m_out.text, part) >= times; });
}

bool Process::ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(m_pid), &info, WEXITED | WNOWAIT | WNOHANG) == 0 && info.si_pid != 0;
}

Outcome Process::finish() {
    pump("the end of the process", [this] { return ended(); });
    take(m_out);
    take(m_err);
    int status = 0;
    ::waitpid(m_pid, &status, 0);
    remove_own_child(m_pid);
    m_pid = -1;
    Outcome result;
    result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    result.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    result.core = WIFSIGNALED(status) && WCOREDUMP(status);
    result.out = m_out.text;
    result.err = m_err.text;
    return result;
}

} // namespace finally_run::e2e
