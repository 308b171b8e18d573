#include "cleanup/removal.hpp"

#include "cleanup/command.hpp"
#include "os/bystander.hpp"
#include "os/clock.hpp"
#include "os/error.hpp"
#include "os/fd.hpp"
#include "os/process.hpp"
#include "os/wait_status.hpp"

#include <algorithm>
#include <array>
#include <climits>
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <optional>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <variant>

namespace finally_run::cleanup {

namespace {

// From SIGKILL to the end of what is not caught in the kernel.
constexpr auto dying_time = std::chrono::seconds(1);

Outcome done_here(const Removal& removal) {
    Outcome outcome;
    outcome.error = remove_tree(removal.directory, removal.path, removal.care).value_or("");
    return outcome;
}

struct Pipe {
    os::Fd reading;
    os::Fd writing;
};

// High, or they could take the place of a stderr that is closed.
std::optional<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
        return std::nullopt;
    }
    Pipe pipe{os::Fd(ends[0]), os::Fd(ends[1])};
    try {
        return Pipe{os::moved_high(std::move(pipe.reading)), os::moved_high(std::move(pipe.writing))};
    } catch (const std::system_error&) {
        return std::nullopt;
    }
}

// Says nothing if all went well.
[[noreturn]] void work(const Removal& removal, int result, const std::function<void()>& in_child) {
    std::string obstacle;
    try {
        ::setsid();
        in_child();
        std::array kept{removal.directory, result, STDERR_FILENO};
        std::ranges::sort(kept);
        os::close_all_but(kept);
        obstacle = remove_tree(removal.directory, removal.path, removal.care).value_or("");
    } catch (const std::exception& error) {
        obstacle = os::text_of(error);
    }
    // As much as a pipe takes at once: nobody reads it before our end.
    [[maybe_unused]] const auto written =
        ::write(result, obstacle.data(), std::min(obstacle.size(), std::size_t{PIPE_BUF}));
    ::_exit(obstacle.empty() ? 0 : 1); // for a successor, to whom the pipe tells nothing
}

std::optional<os::WaitStatus> end_of(pid_t pid, const os::Events& events) {
    while (const auto change = os::next_change(pid, events.other_child())) {
        if (change->si_code != CLD_STOPPED && change->si_code != CLD_CONTINUED) {
            return os::WaitStatus::from(*change);
        }
    }
    return std::nullopt;
}

std::string read_all(int fd) {
    std::array<char, PIPE_BUF> text; // not filled: what is not touched costs nothing
    const ssize_t size = ::read(fd, text.data(), text.size());
    return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

} // namespace

Outcome run_removal(const Removal& removal, text::Limit limit, os::Events& events,
                    const std::function<void(const os::Signal&)>& on_signal, const std::function<void()>& in_child) {
    auto pipe = make_pipe();
    const pid_t parent = ::getpid();
    const pid_t pid = pipe ? ::fork() : -1;
    if (pid < 0) {
        return done_here(removal);
    }
    if (pid == 0) {
        // Killed meanwhile, our parent has left the removal to its successor.
        if (::getppid() != parent) {
            ::_exit(1);
        }
        work(removal, pipe->writing.get(), in_child);
    }
    pipe->writing.reset();
    Outcome outcome;
    os::Deadline limit_end = os::deadline_after(limit);
    os::Deadline dead_by;
    for (;;) {
        const os::Event event = events.wait(os::earliest({limit_end, dead_by}));
        if (const auto* const signal = std::get_if<os::Signal>(&event)) {
            if (signal->number != SIGCHLD) {
                on_signal(*signal);
            }
            if (const auto status = end_of(pid, events)) {
                outcome.error =
                    dead_by ? "stopped: it took longer than --cleanup-timeout" : read_all(pipe->reading.get());
                if (outcome.error.empty()) {
                    outcome.error = failure_of(*status);
                }
                return outcome;
            }
        }
        if (os::has_passed(dead_by)) {
            outcome.error = "stopped: it took longer than --cleanup-timeout, and its disk does not answer (pid " +
                            std::to_string(pid) + ")";
            return outcome;
        }
        if (os::has_passed(limit_end)) {
            limit_end.reset();
            ::kill(pid, SIGKILL);
            dead_by = os::deadline_after(dying_time);
        }
    }
}

} // namespace finally_run::cleanup
