// The harness's eyes: files, processes and locks, looked at from outside.
#include "harness.hpp"

#include "case_dir.hpp"
#include "reaping.hpp"
#include "support/proc.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/capability.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace finally_run::e2e {

fs::path work(std::string_view name) { return name.empty() ? case_dir() / "work" : case_dir() / "work" / name; }

fs::path state_dir() { return case_dir() / "state" / "finally-run"; }

std::string read_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

void write_file(const fs::path& path, std::string_view text, mode_t mode) {
    std::ofstream(path, std::ios::binary) << text;
    ::chmod(path.c_str(), mode);
}

std::vector<std::string> lines(std::string_view text) {
    std::vector<std::string> result;
    std::istringstream stream{std::string(text)};
    for (std::string line; std::getline(stream, line);)
        result.push_back(line);
    return result;
}

bool has_line(std::string_view text, std::string_view line) {
    const auto all = lines(text);
    return std::find(all.begin(), all.end(), line) != all.end();
}

std::size_t count(std::string_view text, std::string_view part) {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size())
        ++found;
    return found;
}

long number_after(std::string_view text, std::string_view label) {
    const std::size_t at = text.find(label);
    if (at == std::string_view::npos)
        throw std::runtime_error("no '" + std::string(label) + "' in: " + std::string(text));
    return std::strtol(std::string(text.substr(at + label.size())).c_str(), nullptr, 10);
}

void wait_until(std::string_view what, const std::function<bool()>& holds) {
    for (;;) {
        const bool held = holds();
        reap_adopted(); // also of what has ended just now: who finishes a run may see how an adopted cleanup ended
        if (held)
            return;
        if (remaining_ms() == 0)
            throw std::runtime_error("waited in vain until " + std::string(what));
        ::poll(nullptr, 0, 2);
    }
}

void wait_for_file(const fs::path& path) {
    wait_until(path.string() + " exists", [&] { return fs::exists(path); });
}

void make_fifo(const fs::path& path) {
    if (::mkfifo(path.c_str(), 0600) != 0)
        throw std::runtime_error("mkfifo " + path.string());
}

void release(const fs::path& fifo) {
    int fd = -1;
    wait_until("somebody reads " + fifo.string(), [&] {
        fd = ::open(fifo.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        return fd >= 0;
    });
    // Who reads next must not find the end of ours.
    const fs::path next = fifo.string() + ".next";
    make_fifo(next);
    fs::rename(next, fifo);
    if (::write(fd, "go\n", 3) != 3)
        throw std::runtime_error("write " + fifo.string());
    ::close(fd);
}

char state_of(pid_t pid) {
    const auto process = test::proc_stat(pid);
    return process ? process->state : '\0';
}

bool alive(pid_t pid) {
    const auto process = test::proc_stat(pid);
    return process && !process->has_ended();
}

void wait_for_state(pid_t pid, char state) {
    wait_until("process " + std::to_string(pid) + " is in state " + state, [&] { return state_of(pid) == state; });
}

void wait_for_end(pid_t pid) {
    wait_until("process " + std::to_string(pid) + " has ended", [&] { return !alive(pid); });
}

pid_t child_running(std::string_view program, pid_t parent) {
    std::vector<pid_t> found;
    wait_until("process " + std::to_string(parent) + " has a child that runs " + std::string(program), [&] {
        found = test::children_running(program, parent);
        return !found.empty();
    });
    return found.front();
}

void wait_for_orphan_of(pid_t parent) {
    wait_for_file(work("pid"));
    wait_until("only the orphan is left",
               [&] { return test::children_running("helper", parent) == std::vector{pid_in("pid")}; });
}

std::vector<pid_t> leftovers() { return test::descendants(::getpid()); }

bool is_pending(pid_t pid, int signal) {
    const std::string text = test::proc_text(pid, "status");
    constexpr std::string_view label = "\nShdPnd:\t";
    const std::size_t at = text.find(label);
    return at != text.npos &&
           (std::strtoull(text.substr(at + label.size()).c_str(), nullptr, 16) >> (signal - 1) & 1) != 0;
}

void wait_for_lock_waiters(const fs::path& path, int waiters) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0)
        throw std::runtime_error("stat " + path.string());
    const std::string inode = ":" + std::to_string(info.st_ino) + " ";
    wait_until(std::to_string(waiters) + " wait for " + path.string(), [&] {
        int found = 0;
        for (const auto& line : lines(read_file("/proc/locks"))) {
            if (line.find("-> FLOCK") != std::string::npos && line.find(inode) != std::string::npos)
                ++found;
        }
        return found >= waiters;
    });
}

bool is_locked(const fs::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        throw std::runtime_error("open " + path.string());
    const bool locked = ::flock(fd, LOCK_EX | LOCK_NB) != 0;
    ::close(fd);
    return locked;
}

void without_root_powers() {
    for (const int power : {CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER})
        ::prctl(PR_CAPBSET_DROP, power, 0, 0, 0);
}

std::vector<std::string> unshare(std::vector<std::string> flags, const std::vector<std::string>& argv) {
    flags.insert(flags.begin(), "unshare");
    if (::geteuid() != 0)
        flags.insert(flags.begin() + 1, "-Ur");
    flags.insert(flags.end(), argv.begin(), argv.end());
    return flags;
}

} // namespace finally_run::e2e
