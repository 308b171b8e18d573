#include "processes.hpp"

#include "os/error.hpp"
#include "support/proc.hpp"

#include <fmt/core.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/stat.h>
#include <system_error>

namespace finally_run::bench {

namespace {

void await(const std::function<bool()>& happened, const std::string& otherwise) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!happened()) {
        if (std::chrono::steady_clock::now() > deadline) {
            throw std::runtime_error(otherwise);
        }
        ::poll(nullptr, 0, 1);
    }
}

} // namespace

void await_waiter(const std::string& file, pid_t pid) {
    struct stat info = {};
    if (::stat(file.c_str(), &info) < 0) {
        os::throw_errno("look at", file);
    }
    // "1: -> FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"
    const std::string process = fmt::format(" {} ", pid);
    const std::string object = fmt::format(":{} 0 EOF", info.st_ino);
    const auto waits = [&] {
        std::ifstream locks("/proc/locks");
        for (std::string line; std::getline(locks, line);) {
            if (line.ends_with(object) && line.find("-> FLOCK") != line.npos && line.find(process) != line.npos) {
                return true;
            }
        }
        return false;
    };
    await(waits, fmt::format("{} does not wait for {}", pid, file));
}

pid_t guardian_of(pid_t supervisor) {
    pid_t guardian = 0;
    const auto is_found = [&] {
        const auto guardians = test::guardians_of(supervisor);
        guardian = guardians.empty() ? 0 : guardians.front();
        return guardian != 0;
    };
    await(is_found, "a run has no guardian");
    return guardian;
}

Memory memory_of(pid_t pid) {
    std::ifstream file(fmt::format("/proc/{}/smaps_rollup", pid));
    Memory memory;
    for (std::string word; file >> word;) {
        if (word == "Rss:") {
            file >> memory.resident;
        } else if (word == "Pss:") {
            file >> memory.proportional;
        } else if (word == "Private_Dirty:") {
            file >> memory.private_dirty;
        }
    }
    if (memory.resident == 0) {
        throw std::runtime_error(fmt::format("process {} shows no memory", pid));
    }
    return memory;
}

double cpu_of(pid_t pid) {
    double milliseconds = 0;
    for (const auto& task : std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid))) {
        // proc(5): nanoseconds on a processor come first.
        double nanoseconds = 0;
        std::ifstream(task.path() / "schedstat") >> nanoseconds;
        milliseconds += nanoseconds / 1e6;
    }
    return milliseconds;
}

} // namespace finally_run::bench
