#include "support/proc.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <sstream>
#include <unistd.h>

namespace finally_run::test {

std::string proc_text(pid_t pid, std::string_view file) {
    std::string text;
    const std::string path = "/proc/" + std::to_string(pid) + "/" + std::string(file);
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return text;
    }
    std::array<char, 4096> part{};
    // A process that has just ended is no error: ESRCH.
    for (ssize_t got = 0; (got = ::read(fd, part.data(), part.size())) > 0;) {
        text.append(part.data(), static_cast<std::size_t>(got));
    }
    ::close(fd);
    return text;
}

namespace {

// The pipes of a process that it has open for reading, or for writing.
std::vector<std::string> pipes_of(pid_t pid, bool reading) {
    namespace fs = std::filesystem;
    std::vector<std::string> found;
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", gone)) {
        const std::string to = fs::read_symlink(entry.path(), gone);
        const bool read_only = (fs::symlink_status(entry.path(), gone).permissions() & fs::perms::owner_write) ==
                               fs::perms::none; // as it was opened: proc_pid_fd(5)
        if (to.starts_with("pipe:") && read_only == reading) {
            found.push_back(to);
        }
    }
    return found;
}

} // namespace

std::optional<ProcStat> proc_stat(pid_t pid) {
    const std::string text = proc_text(pid, "stat");
    const auto open = text.find('(');
    const auto close = text.rfind(')'); // the name may hold blanks and parentheses; what follows it may not
    if (open == text.npos || close == text.npos) {
        return std::nullopt;
    }
    ProcStat process;
    process.pid = pid;
    process.name = text.substr(open + 1, close - open - 1);
    std::istringstream rest(text.substr(close + 1));
    long skipped = 0;
    rest >> process.state >> process.parent >> skipped >> skipped >> skipped >> skipped >> process.flags;
    return rest ? std::optional(process) : std::nullopt;
}

std::vector<ProcStat> all_processes() {
    std::vector<ProcStat> found;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
        const pid_t pid = std::atoi(entry.path().filename().c_str());
        if (auto process = pid > 0 ? proc_stat(pid) : std::nullopt) {
            found.push_back(std::move(*process));
        }
    }
    return found;
}

std::string command_line(pid_t pid) {
    std::string words = proc_text(pid, "cmdline");
    std::replace(words.begin(), words.end(), '\0', ' ');
    return words;
}

std::vector<pid_t> children_running(std::string_view program, pid_t parent) {
    std::vector<pid_t> found;
    for (const ProcStat& process : all_processes()) {
        if (process.parent == parent && process.name == program && !process.has_ended()) {
            found.push_back(process.pid);
        }
    }
    return found;
}

std::vector<pid_t> guardians_of(pid_t supervisor) {
    const auto lifelines = pipes_of(supervisor, false);
    std::vector<pid_t> found;
    for (const ProcStat& process : all_processes()) {
        const auto is_lifeline = [&](const std::string& pipe) {
            return std::ranges::find(lifelines, pipe) != lifelines.end();
        };
        if (process.name == "finally-guard" && !process.has_ended() &&
            command_line(process.pid).starts_with("finally-guard: of run ") &&
            std::ranges::any_of(pipes_of(process.pid, true), is_lifeline)) {
            found.push_back(process.pid);
        }
    }
    return found;
}

std::vector<pid_t> descendants(pid_t ancestor) {
    std::map<pid_t, pid_t> parents;
    const auto processes = all_processes();
    for (const ProcStat& process : processes) {
        parents[process.pid] = process.parent;
    }
    std::vector<pid_t> found;
    for (const ProcStat& process : processes) {
        pid_t above = process.parent;
        while (above > 1 && above != ancestor) {
            const auto next = parents.find(above);
            above = next == parents.end() ? 0 : next->second;
        }
        if (above == ancestor && !process.has_ended()) {
            found.push_back(process.pid);
        }
    }
    return found;
}

} // namespace finally_run::test
