#include "supervise/sentinel.hpp"

#include "os/bystander.hpp"
#include "os/process.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <poll.h>
#include <string>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <type_traits>
#include <unistd.h>
#include <utility>

namespace finally_run::supervise {

namespace {

// Between a process and its copy the bytes are the value. A signal number of 0 is the answer to a question.
static_assert(std::is_trivially_copyable_v<Delivery>);

// A sentinel that says nothing for so long is stopped, or traced, or dies.
constexpr auto answer_limit = std::chrono::milliseconds(500);
// How often we look whether the sender is still there.
constexpr auto look_again = std::chrono::milliseconds(2);
// At most so long, however full the machine is.
constexpr auto longest_wait = std::chrono::seconds(1);
// What comes in a burst, like TERM and CONT, is reported together.
constexpr auto burst = std::chrono::milliseconds(20);

void tell(int line, const Delivery& delivery) { ::send(line, &delivery, sizeof delivery, MSG_DONTWAIT | MSG_NOSIGNAL); }

// Reports all that is pending. Returns whether one of them ends a program that takes no measures.
bool report_pending(int signals, int line) {
    bool ending = false;
    signalfd_siginfo info;
    while (::read(signals, &info, sizeof info) == sizeof info) {
        const os::Signal signal = os::signal_of(info);
        ending = ending || os::default_action(signal.number) == os::DefaultAction::end;
        tell(line, {signal, os::Clock::now()});
    }
    return ending;
}

// How long it has waited for its turn on a processor so far; 0 if the kernel keeps no account of it.
std::chrono::nanoseconds kept_waiting(pid_t pid) {
    const std::string account = os::read_proc_file(os::proc_path(pid, "schedstat")); // time on it, time in the queue
    const std::size_t blank = account.find(' ');
    std::chrono::nanoseconds::rep time = 0;
    if (blank != std::string::npos) {
        std::from_chars(account.data() + blank + 1, account.data() + account.size(), time);
    }
    return std::chrono::nanoseconds(time);
}

SenderState state_of(const os::Signal& signal) {
    const auto process = os::read_process(signal.sender);
    if (!process || process->ended) {
        return SenderState::gone;
    }
    return process->state == 'R' ? SenderState::busy : SenderState::idle;
}

} // namespace

Sentinel::Sentinel(Place place, std::string run_id, const os::MainArgs& main_args)
    : m_place(place), m_run_id(std::move(run_id)), m_main_args(main_args) {
    start();
}

Sentinel::~Sentinel() { end(); }

void Sentinel::start() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) < 0) {
        return;
    }
    os::Fd theirs(ends[1]);
    os::Fd ours = os::moved_high(os::Fd(ends[0]));
    theirs = os::moved_high(std::move(theirs));
    const pid_t parent = ::getpid();
    const pid_t pid = os::fork_quietly();
    if (pid < 0) {
        return;
    }
    if (pid == 0) {
        // pkill(1) by our own name would reach it, and not the command.
        os::set_process_title("sentinel", "sentinel: of run " + m_run_id, m_main_args);
        live(theirs.get(), m_place, parent);
    }
    if (m_place == Place::own_group) {
        ::setpgid(pid, pid); // it may not have come to it before somebody signals our group
    }
    m_pid = pid;
    m_line = std::move(ours);
}

void Sentinel::end() {
    m_line.reset();
    if (m_pid > 0) {
        ::kill(m_pid, SIGKILL);
        os::reap_quiet(m_pid);
        m_pid = 0;
    }
}

void Sentinel::live(int line, Place place, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (::getppid() != parent) {
        ::_exit(0);
    }
    if (place == Place::own_group) {
        ::setpgid(0, 0);
    }
    sigset_t all;
    ::sigfillset(&all);
    const int signals = ::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
    os::close_all_but(std::array{std::min(signals, line), std::max(signals, line)});
    os::Deadline leave;
    for (;;) {
        std::array<pollfd, 2> fds{{{signals, POLLIN, 0}, {line, POLLIN, 0}}};
        const int ready = ::poll(fds.data(), fds.size(), os::poll_timeout(leave));
        char question = 0;
        const bool asked = ready > 0 && fds[1].revents != 0;
        if (asked && ::recv(line, &question, sizeof question, MSG_DONTWAIT) <= 0) {
            ::_exit(0);
        }
        // Who tells each process of a tree may wait until it has ended, before the next is told. In the group nobody
        // looks, and it stays for the next signal.
        if (report_pending(signals, line) && place == Place::own_group && !leave) {
            leave = os::deadline_after(burst);
        }
        if (asked) {
            tell(line, {});
        }
        if (os::has_passed(leave)) {
            ::_exit(0);
        }
    }
}

bool Sentinel::hear(const os::Deadline& deadline, bool& answered) {
    pollfd entry{m_line.get(), POLLIN, 0};
    if (::poll(&entry, 1, os::poll_timeout(deadline)) <= 0) {
        return false;
    }
    Delivery delivery{};
    if (::recv(m_line.get(), &delivery, sizeof delivery, MSG_DONTWAIT) != sizeof delivery) {
        end();
        constexpr unsigned most = 1000; // something kills each of them at once
        if (++m_replaced <= most) {
            start();
        }
        return false;
    }
    if (delivery.signal.number == 0) {
        answered = true;
    } else {
        m_deliveries.add(delivery);
    }
    return true;
}

void Sentinel::ask() {
    const char question = 0;
    ::send(m_line.get(), &question, sizeof question, MSG_DONTWAIT | MSG_NOSIGNAL);
    const os::Deadline limit = os::deadline_after(answer_limit);
    for (bool answered = false; !answered && hear(limit, answered);) {
    }
}

bool Sentinel::was_told_too(const os::Signal& signal) {
    if (!m_line) {
        return false;
    }
    os::await_group_signals();
    const auto start = os::Clock::now();
    const auto kept_before = kept_waiting(signal.sender);
    for (;;) {
        const SenderState sender = signal.from_kernel ? SenderState::gone : state_of(signal);
        ask();
        const auto now = os::Clock::now();
        if (m_deliveries.claim(signal, now)) {
            return true;
        }
        const auto waited =
            sender == SenderState::gone ? std::chrono::nanoseconds(0) : kept_waiting(signal.sender) - kept_before;
        if (now - start - waited >= patience(sender) || now - start >= longest_wait) {
            return false;
        }
        bool answered = false;
        static_cast<void>(hear(os::deadline_after(look_again), answered));
    }
}

void Sentinel::listen() {
    bool answered = false;
    static_cast<void>(hear(os::Clock::now(), answered));
}

} // namespace finally_run::supervise
