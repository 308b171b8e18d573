// A terminal with somebody typing at it.
#pragma once

#include "harness.hpp"

namespace finally_run::e2e {

constexpr std::string_view ctrl_c = "\x03";
constexpr std::string_view ctrl_z = "\x1a";
constexpr std::string_view ctrl_backslash = "\x1c";

// The program is the session leader. The terminal does not echo: all that is read is what programs have written.
class Terminal {
public:
    explicit Terminal(const Run& program);

    void type(std::string_view keys) const { m_process.write(keys); }
    void line(std::string_view text) const;
    std::string wait_for(std::string_view text) { return m_process.wait_for_text(text); }
    void wait_for_times(std::string_view text, std::size_t times) { m_process.wait_for_times(text, times); }
    void hang_up();
    [[nodiscard]] pid_t pid() const { return m_process.pid(); }
    Outcome finish() { return m_process.finish(); }

private:
    Process m_process;
};

// Waits for the helper's "READY PID" line and gives back the pid.
pid_t ready(Terminal& terminal);

// An interactive bash on a terminal.
class Shell : public Terminal {
public:
    Shell();
    explicit Shell(Run program);

    // Waits for the prompt, types the line, and gives back what was written before the prompt.
    std::string enter(std::string_view text);
    std::string wait_for_prompt();
};

// Ctrl+Z at the job of that command, then fg.
void stop_and_continue(Shell& shell, pid_t command);

} // namespace finally_run::e2e
