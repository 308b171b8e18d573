#include "os/terminal.hpp"

#include "os/process.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <tuple>
#include <unistd.h>
#include <vector>

namespace finally_run::os {

Fd open_controlling_terminal() { return Fd(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)); }

bool has_controlling_terminal() {
    if (const Fd terminal = open_controlling_terminal(); terminal || errno == ENXIO) {
        return static_cast<bool>(terminal);
    }
    // No /dev/tty, or no descriptor left: then a terminal of our session may still be among those that we were given.
    const pid_t session = ::getsid(0);
    return ::tcgetsid(STDIN_FILENO) == session || ::tcgetsid(STDOUT_FILENO) == session ||
           ::tcgetsid(STDERR_FILENO) == session;
}

// SIGTTOU, which the kernel sends to whoever changes a terminal from the background, is blocked in us: then it lets us.
bool give_foreground(pid_t group) {
    const Fd terminal = open_controlling_terminal();
    if (!terminal) {
        return false;
    }
    const pid_t in_front = ::tcgetpgrp(terminal.get());
    return in_front == group || (in_front == ::getpgrp() && ::tcsetpgrp(terminal.get(), group) == 0);
}

void take_foreground_back(pid_t group) {
    if (const Fd terminal = open_controlling_terminal(); terminal && ::tcgetpgrp(terminal.get()) == group) {
        ::tcsetpgrp(terminal.get(), ::getpgrp());
    }
}

bool has_terminal_to_itself(int descriptor) {
    const pid_t group = ::getpgrp();
    const pid_t in_front = ::tcgetpgrp(descriptor);
    if (in_front < 0) { // not our controlling terminal: there is no job control to tell
        return true;
    }
    if (in_front != group || group == ::getpid()) {
        return in_front == group;
    }
    std::vector<pid_t> others;
    for (const ProcessInfo& process : all_processes()) {
        if (process.group == group && process.pid != ::getpid()) {
            others.push_back(process.pid);
        }
    }
    for (auto ancestor = read_process(::getppid()); ancestor; ancestor = read_process(ancestor->parent)) {
        std::erase(others, ancestor->pid);
    }
    return others.empty();
}

namespace {

// The speeds apart: a terminal of today has none.
bool are_equal(const termios& one, const termios& other) {
    const auto flags = [](const termios& all) { return std::tie(all.c_iflag, all.c_oflag, all.c_cflag, all.c_lflag); };
    return flags(one) == flags(other) && std::ranges::equal(one.c_cc, other.c_cc);
}

} // namespace

TerminalSettings::TerminalSettings() {
    termios settings{};
    if (const Fd terminal = open_controlling_terminal(); terminal && ::tcgetattr(terminal.get(), &settings) == 0) {
        m_settings = settings;
    }
}

void TerminalSettings::put_back() const {
    const Fd terminal = m_settings ? open_controlling_terminal() : Fd();
    termios now{};
    if (!terminal || ::tcgetattr(terminal.get(), &now) < 0 || are_equal(now, *m_settings)) {
        return;
    }
    const pid_t in_front = ::tcgetpgrp(terminal.get());
    // A shell that was killed has left the foreground to a group in which nobody is any more.
    if (in_front == ::getpgrp() || (in_front > 1 && ::kill(-in_front, 0) < 0 && errno == ESRCH)) {
        ::tcsetattr(terminal.get(), TCSANOW, &*m_settings);
    }
}

} // namespace finally_run::os
