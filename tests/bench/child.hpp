// A process that a benchmark has started, and what it has cost.
#pragma once

#include "os/fd.hpp"

#include <array>
#include <string>
#include <sys/types.h>
#include <vector>

namespace finally_run::bench {

using Words = std::vector<std::string>;

struct Pipe {
    os::Fd read;
    os::Fd write;
};

[[nodiscard]] Pipe make_pipe();

// "/dev/null", say. Throws std::system_error.
[[nodiscard]] os::Fd open_file(const std::string& path, int flags);

// Killed and reaped in the end, if nobody has waited for it.
class Child {
public:
    // The first word is a path; `standard` become its descriptors 0, 1 and 2. Throws std::system_error.
    Child(const Words& words, const Words& environment, const std::array<int, 3>& standard);
    Child(Child&& other) noexcept;
    Child& operator=(Child&&) = delete;
    ~Child();

    [[nodiscard]] pid_t pid() const { return m_pid; }

    // Throws std::runtime_error unless it succeeds. The seconds of CPU time of it and of what it has waited for.
    double wait();

private:
    pid_t m_pid = 0;
    std::string m_name;
};

} // namespace finally_run::bench
