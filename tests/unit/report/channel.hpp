// What a Messages writes to: a pipe or a terminal whose other end the test reads.
#pragma once

#include "os/fd.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <pty.h>
#include <string>
#include <string_view>
#include <termios.h>
#include <unistd.h>

namespace finally_run::test {

struct Channel {
    os::Fd reader;
    os::Fd writer;

    // All that has been written; ends the channel's writing side.
    std::string all() {
        constexpr std::string_view end = "<end>";
        REQUIRE(write(writer.get(), end.data(), end.size()) == static_cast<ssize_t>(end.size()));
        std::string text;
        std::array<char, 4096> buffer{};
        while (!text.ends_with(end)) {
            pollfd entry{reader.get(), POLLIN, 0};
            REQUIRE(poll(&entry, 1, 20000) == 1);
            const ssize_t count = read(reader.get(), buffer.data(), buffer.size());
            REQUIRE(count > 0);
            text.append(buffer.data(), static_cast<std::size_t>(count));
        }
        text.resize(text.size() - end.size());
        return text;
    }
};

inline Channel pipe_channel(int flags = 0) {
    static_cast<void>(signal(SIGPIPE, SIG_IGN)); // as in finally-run, which blocks it
    std::array<int, 2> ends{};
    REQUIRE(pipe2(ends.data(), O_CLOEXEC | flags) == 0);
    return {os::Fd(ends[0]), os::Fd(ends[1])};
}

inline Channel terminal_channel(unsigned short columns = 80) {
    termios raw{};
    cfmakeraw(&raw);
    winsize size{24, columns, 0, 0};
    int master = -1;
    int terminal = -1;
    REQUIRE(openpty(&master, &terminal, nullptr, &raw, &size) == 0);
    return {os::Fd(master), os::Fd(terminal)};
}

// Sets a variable, or takes it away, until the end of the scope.
class Variable {
public:
    Variable(const char* name, const char* value) : m_name(name) {
        if (const char* old = std::getenv(name); old != nullptr) {
            m_old = old;
        }
        set(value);
    }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;
    ~Variable() { set(m_old ? m_old->c_str() : nullptr); }

private:
    void set(const char* value) const {
        static_cast<void>(value != nullptr ? setenv(m_name, value, 1) : unsetenv(m_name));
    }

    const char* m_name;
    std::optional<std::string> m_old;
};

} // namespace finally_run::test
