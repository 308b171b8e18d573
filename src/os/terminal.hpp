// The controlling terminal of our session: who is in front of it, and how it is set.
#pragma once

#include "os/fd.hpp"

#include <optional>
#include <sys/types.h>
#include <termios.h>

namespace finally_run::os {

[[nodiscard]] bool has_controlling_terminal();

// Without one: an empty one.
[[nodiscard]] Fd open_controlling_terminal();

// Puts that process group in the foreground if it is ours that is there. False if it is not, or there is no terminal.
bool give_foreground(pid_t group);

// The reverse: puts ours there if it is that group's.
void take_foreground_back(pid_t group);

// Whether nobody else is likely to write to it while we wait: we lead the foreground process group, as a job that was
// typed, or all others there wait for us. Not so a recipe of `make -j`.
[[nodiscard]] bool has_terminal_to_itself(int descriptor);

// The settings of the terminal as they are now, put back on demand.
class TerminalSettings {
public:
    TerminalSettings();

    // Only while nobody else is in the foreground: whoever is there has settings of its own.
    void put_back() const;

private:
    std::optional<termios> m_settings; // nullopt: no terminal
};

} // namespace finally_run::os
