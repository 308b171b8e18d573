// A pseudo-terminal, and bash at the other end of it.
#include "pty.hpp"

#include <fcntl.h>
#include <pty.h>
#include <termios.h>

#include <array>
#include <stdexcept>

namespace finally_run::e2e {
namespace {

constexpr std::string_view prompt = "<prompt>";

Process start_on_new_terminal(const Run& program) {
    int master = -1;
    int slave = -1;
    if (::openpty(&master, &slave, nullptr, nullptr, nullptr) != 0)
        throw std::runtime_error("openpty");
    for (const int fd : {master, slave})
        ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    termios settings{};
    ::tcgetattr(slave, &settings);
    settings.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    // Otherwise a typed Ctrl+C also throws away what programs write in the same moment.
    settings.c_lflag |= NOFLSH;
    settings.c_oflag &= ~static_cast<tcflag_t>(ONLCR);
    ::tcsetattr(slave, TCSANOW, &settings);
    return program.start_on_terminal(master, slave);
}

} // namespace

Terminal::Terminal(const Run& program) : m_process(start_on_new_terminal(program)) {}

void Terminal::line(std::string_view text) const { type(std::string(text) + "\n"); }

void Terminal::hang_up() {
    m_process.close_in();
    m_process.close_out();
}

pid_t ready(Terminal& terminal) {
    terminal.wait_for("READY ");
    return static_cast<pid_t>(number_after(terminal.wait_for("\n"), ""));
}

Shell::Shell() : Shell(Run::of({"bash", "--norc", "--noprofile", "--noediting", "-i"})) {}

Shell::Shell(Run program) : Terminal(program.env("PS1", std::string(prompt)).env("HISTFILE", "/dev/null")) {}

std::string Shell::wait_for_prompt() {
    std::string before = wait_for(prompt);
    return before.substr(0, before.size() - prompt.size());
}

std::string Shell::enter(std::string_view text) {
    std::string before = wait_for_prompt();
    line(text);
    return before;
}

void stop_and_continue(Shell& shell, pid_t command) {
    shell.type(ctrl_z);
    shell.wait_for("Stopped");
    wait_for_state(command, 'T');
    shell.enter("fg");
    wait_for_state(command, 'S');
}

} // namespace finally_run::e2e
