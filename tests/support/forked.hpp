// A part of a test in a process of its own, and what such processes wait for.
#pragma once

#include "os/fd.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace finally_run::test {

// In a forked process, where no check of doctest counts.
inline void expect(bool condition, const char* what) {
    if (!condition) {
        throw std::runtime_error(what);
    }
}

// Runs `body` and ends; it is killed with this object, and with the test.
class Forked {
public:
    template <class Body> explicit Forked(const Body& body) {
        const pid_t parent = ::getpid();
        m_pid = ::fork();
        if (m_pid < 0) {
            throw std::system_error(errno, std::generic_category(), "fork");
        }
        if (m_pid == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
            if (const pid_t now = ::getppid();
                now != parent && now != 0) { // it was killed before; 0: in a new namespace
                ::_exit(1);
            }
            try {
                body();
                ::_exit(0);
            } catch (const std::exception& error) {
                std::fprintf(stderr, "in the forked process: %s\n", error.what());
            }
            ::_exit(1);
        }
    }
    Forked(const Forked&) = delete;
    Forked& operator=(const Forked&) = delete;
    ~Forked() {
        if (m_pid > 0) {
            kill();
        }
    }

    [[nodiscard]] pid_t pid() const { return m_pid; }

    // Waits for its end; whether `body` returned, and without an exception.
    bool succeeded() {
        int status = -1;
        const bool reaped = ::waitpid(m_pid, &status, 0) == m_pid;
        m_pid = 0;
        return reaped && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    void kill() {
        ::kill(m_pid, SIGKILL);
        static_cast<void>(succeeded());
    }

private:
    pid_t m_pid = -1;
};

// A pipe over which processes wait for each other.
class Gate {
public:
    Gate() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) < 0) {
            throw std::system_error(errno, std::generic_category(), "pipe");
        }
        m_reader = os::Fd(ends[0]);
        m_writer = os::Fd(ends[1]);
    }

    void open(std::string_view text = "x") const {
        static_cast<void>(::write(m_writer.get(), text.data(), text.size()));
    }
    // One byte that open() wrote; false if nobody is left who could.
    [[nodiscard]] bool pass() const {
        char byte = 0;
        return ::read(m_reader.get(), &byte, 1) == 1;
    }
    // All that is written, up to the end of the last writer but us.
    [[nodiscard]] std::string rest() {
        m_writer.reset();
        std::string text;
        for (char byte = 0; ::read(m_reader.get(), &byte, 1) == 1;) {
            text += byte;
        }
        return text;
    }
    [[nodiscard]] int reader() const { return m_reader.get(); }
    [[nodiscard]] int writer() const { return m_writer.get(); }
    void close_reader() { m_reader.reset(); }
    void close_writer() { m_writer.reset(); }

private:
    os::Fd m_reader;
    os::Fd m_writer;
};

// For what the kernel tells nobody: looks until it is so. False after half a minute.
template <class Condition> bool comes_true(const Condition& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        ::poll(nullptr, 0, 1);
    }
    return true;
}

} // namespace finally_run::test
