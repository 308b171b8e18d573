#include "os/process.hpp"

#include "os/clock.hpp"
#include "os/error.hpp"
#include "os/fd.hpp"
#include "os/signals.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <string_view>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <unordered_set>
#include <utility>

namespace finally_run::os {

namespace {

// The next blank-separated number; `text` is advanced past it.
template <class Number> bool take_number(std::string_view& text, Number& number) {
    while (text.starts_with(' ')) {
        text.remove_prefix(1);
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) {
        return false;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
}

void skip_words(std::string_view& text, int count) {
    for (; count > 0; --count) {
        text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
        text.remove_prefix(std::min(text.find(' '), text.size()));
    }
}

// Whoever has nothing left to look with has not seen that nobody is there.
void require_means(const char* path) {
    if (errno == ENOMEM || errno == EMFILE || errno == ENFILE) {
        throw_errno("look", path);
    }
}

// The entries that are numbers; none if it cannot be read. Without opendir(3), which wants 32 KiB of memory.
std::vector<int> numbers_in(const char* path) {
    std::vector<int> found;
    const Fd directory(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory) {
        require_means(path);
        return found;
    }
    alignas(dirent64) std::array<char, 8192> entries;
    for (;;) {
        const ssize_t size = ::getdents64(directory.get(), entries.data(), entries.size());
        if (size <= 0) {
            return found;
        }
        for (ssize_t at = 0; at < size;) {
            const auto* const entry = reinterpret_cast<const dirent64*>(entries.data() + at);
            at += entry->d_reclen;
            const std::string_view name = entry->d_name;
            int number = 0;
            const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
            if (error == std::errc() && end == name.data() + name.size()) {
                found.push_back(number);
            }
        }
    }
}

std::vector<ProcessInfo> read_all(const std::function<bool(pid_t)>& is_wanted = {}) {
    std::vector<ProcessInfo> all;
    for (const pid_t pid : all_pids()) {
        auto info = !is_wanted || is_wanted(pid) ? read_process(pid) : std::nullopt;
        if (info) {
            all.push_back(std::move(*info));
        }
    }
    return all;
}

// To ask the kernel for a number costs a tenth of reading its file. Who may not ask reads.
bool may_be(pid_t number, bool is_wanted) { return number < 0 ? errno != ESRCH : is_wanted; }

std::vector<ProcessInfo> look_for_descendants(pid_t root) {
    // What has no session that is seen here, like the threads of the kernel, does not come from somebody who has one.
    const bool all_have_one = ::getsid(root) > 0;
    std::vector<ProcessInfo> all = read_all([&](pid_t pid) {
        const pid_t session = ::getsid(pid);
        return may_be(session, session != 0 || !all_have_one);
    });
    std::erase_if(all, [root](const ProcessInfo& process) {
        return process.parent == root && process.exit_signal != SIGCHLD; // made for its own ends
    });
    return descending_from({root}, std::move(all));
}

std::uint64_t ticks_at(std::uint64_t boot_nanoseconds) {
    const auto ticks_per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    constexpr std::uint64_t second = 1'000'000'000;
    return boot_nanoseconds / second * ticks_per_second + boot_nanoseconds % second * ticks_per_second / second;
}

} // namespace

std::string proc_path(pid_t pid, std::string_view file) {
    return std::string("/proc/").append(std::to_string(pid)).append("/").append(file);
}

std::vector<pid_t> all_pids() { return numbers_in("/proc"); }

std::vector<int> open_descriptors() { return numbers_in("/proc/self/fd"); }

std::vector<int> open_descriptors(pid_t pid) { return numbers_in(proc_path(pid, "fd").c_str()); }

std::string read_proc_file(const std::string& path) {
    std::string text;
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        return text;
    }
    std::array<char, 4096> bytes; // not filled: what is not touched costs nothing
    for (;;) {
        const ssize_t got = ::read(fd.get(), bytes.data(), bytes.size());
        if (got <= 0) {
            return text;
        }
        text.append(bytes.data(), static_cast<std::size_t>(got));
    }
}

std::optional<ProcessInfo> read_process(pid_t pid) {
    const std::string path = proc_path(pid, "stat");
    errno = 0;
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 2048> bytes; // some 50 numbers, which the kernel gives at once
    const ssize_t got = fd ? ::read(fd.get(), bytes.data(), bytes.size()) : -1;
    if (got <= 0) {
        require_means(path.c_str());
        return std::nullopt;
    }
    const std::string_view text(bytes.data(), static_cast<std::size_t>(got));
    // The name is in parentheses and may itself hold blanks and parentheses.
    const auto open = text.find('(');
    const auto close = text.rfind(')');
    if (open == text.npos || close == text.npos || close + 2 >= text.size()) {
        return std::nullopt;
    }
    ProcessInfo info{};
    info.pid = pid;
    info.name = text.substr(open + 1, close - open - 1);
    std::string_view rest = text.substr(close + 2);
    info.state = rest.front();
    rest.remove_prefix(1);
    if (!take_number(rest, info.parent) || !take_number(rest, info.group) || !take_number(rest, info.session)) {
        return std::nullopt;
    }
    skip_words(rest, 13); // tty_nr (7) to nice (19)
    long threads = 0;
    if (!take_number(rest, threads)) {
        return std::nullopt;
    }
    skip_words(rest, 1); // itrealvalue (21)
    if (!take_number(rest, info.start_ticks)) {
        return std::nullopt;
    }
    skip_words(rest, 15); // vsize (23) to cnswap (37)
    if (!take_number(rest, info.exit_signal)) {
        return std::nullopt;
    }
    // With other threads left it is only the main thread that has ended.
    info.ended = info.state == 'X' || (info.state == 'Z' && threads <= 1);
    return info;
}

std::optional<siginfo_t> next_change(pid_t pid, const OtherChild& other) {
    for (;;) {
        siginfo_t info = {};
        if (::waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG) < 0 || info.si_pid == 0) {
            return std::nullopt;
        }
        if (info.si_pid == pid) {
            return info;
        }
        if (other) {
            other(info);
        }
    }
}

void reap_all(const OtherChild& other) { static_cast<void>(next_change(-1, other)); }

bool is_child(pid_t pid) {
    siginfo_t info = {};
    return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

bool has_children() {
    siginfo_t info = {};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

std::vector<ProcessInfo> descending_from(std::unordered_set<pid_t> family, std::vector<ProcessInfo> others) {
    std::vector<ProcessInfo> found;
    // A child may have a smaller pid than its parent: repeat until nobody is added.
    for (bool grown = true; grown;) {
        grown = false;
        std::erase_if(others, [&](const ProcessInfo& process) {
            if (!family.contains(process.parent)) {
                return false;
            }
            family.insert(process.pid);
            found.push_back(process);
            grown = true;
            return true;
        });
    }
    return found;
}

std::vector<ProcessInfo> look_until_settled(const std::function<std::vector<ProcessInfo>()>& look) {
    constexpr int most_looks = 10;
    const auto is_same = [](const ProcessInfo& one, const ProcessInfo& other) {
        return one.pid == other.pid && one.ended == other.ended;
    };
    auto found = look();
    for (int looks = 1; looks < most_looks; ++looks) {
        auto again = look();
        const bool same = std::ranges::equal(found, again, is_same);
        found = std::move(again);
        if (same) {
            std::erase_if(found, [](const ProcessInfo& process) { return process.ended; });
            break;
        }
    }
    return found;
}

std::vector<ProcessInfo> descendants(pid_t root) {
    return look_until_settled([root] { return look_for_descendants(root); });
}

std::vector<ProcessInfo> all_processes() {
    auto all = read_all();
    std::erase_if(all, [](const ProcessInfo& process) { return process.ended; });
    return all;
}

std::vector<ProcessInfo> leaders_and_leaderless() {
    const auto is_wanted = [](pid_t pid, pid_t group) {
        return group == pid || (group > 0 && ::getpgid(group) < 0 && errno == ESRCH);
    };
    auto found = read_all([&](pid_t pid) {
        const pid_t group = ::getpgid(pid);
        return may_be(group, is_wanted(pid, group));
    });
    std::erase_if(found, [&](const ProcessInfo& one) { return one.ended || !is_wanted(one.pid, one.group); });
    return found;
}

std::vector<ProcessInfo> processes_in(pid_t session, pid_t other_session, pid_t process) {
    const auto is_wanted = [&](pid_t pid, pid_t its) {
        return its == session || its == other_session || pid == process;
    };
    auto found = read_all([&](pid_t pid) {
        const pid_t its = ::getsid(pid);
        return may_be(its, is_wanted(pid, its)) || pid == process;
    });
    std::erase_if(found, [&](const ProcessInfo& one) { return !is_wanted(one.pid, one.session); });
    return found;
}

std::strong_ordering start_against(const ProcessInfo& process, std::uint64_t boot_nanoseconds) {
    return std::uint64_t(process.start_ticks) <=> ticks_at(boot_nanoseconds);
}

bool started_just_then(pid_t pid, std::uint64_t boot_nanoseconds) {
    constexpr std::uint64_t shortly = 100'000'000; // from clone(2) to the record, on a busy machine
    const auto process = read_process(pid);
    return process && std::is_lteq(start_against(*process, boot_nanoseconds)) &&
           std::is_gteq(start_against(*process, boot_nanoseconds - std::min(boot_nanoseconds, shortly)));
}

std::optional<ProcessInfo> running(pid_t pid, std::uint64_t boot_nanoseconds) {
    auto process = read_process(pid);
    const bool runs = process && !process->ended && std::is_lteq(start_against(*process, boot_nanoseconds));
    return runs ? std::move(process) : std::nullopt;
}

bool still_runs(pid_t pid, std::uint64_t boot_nanoseconds) { return running(pid, boot_nanoseconds).has_value(); }

bool processes_are_visible() {
    return ::access("/proc/self/stat", R_OK) == 0 || ((errno == EPERM || errno == ENOSYS) && read_process(::getpid()));
}

std::string program_of(pid_t pid) {
    std::error_code unknown;
    return std::filesystem::read_symlink(proc_path(pid, "exe"), unknown).native();
}

std::string environment_of(pid_t pid) {
    constexpr auto between_looks = std::chrono::milliseconds(1);
    constexpr int enough = 4; // a process has its words a moment before its environment, and that may be a time slice
    const std::string path = proc_path(pid, "environ");
    const Deadline longest = deadline_after(std::chrono::seconds(1)); // its program comes from a disk
    std::string environment = read_proc_file(path);
    for (int looks = 0; environment.empty() && looks < enough && !has_passed(longest);) {
        if (program_of(pid).empty()) { // a zombie, a thread of the kernel, or somebody else's: nothing to wait for
            break;
        }
        looks += read_proc_file(proc_path(pid, "cmdline")).empty() ? 0 : 1;
        ::poll(nullptr, 0, between_looks.count());
        environment = read_proc_file(path);
    }
    return environment;
}

bool was_started_with(pid_t pid, std::string_view variable) {
    const std::string environment = environment_of(pid);
    std::string_view rest = environment;
    while (!rest.empty()) {
        const std::string_view entry = rest.substr(0, rest.find('\0'));
        if (entry == variable) {
            return true;
        }
        rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
    }
    return false;
}

Fd open_pidfd(pid_t pid) { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

pid_t newest_pid() {
    // "0.20 0.18 0.12 1/80 11206": proc(5)
    const std::string text = read_proc_file("/proc/loadavg");
    const auto blank = text.rfind(' ');
    return blank == std::string::npos ? 0 : static_cast<pid_t>(std::atoi(text.c_str() + blank));
}

Delivery send_signal(const ProcessInfo& process, int signal, pid_t* newest) {
    // The descriptor is of whoever has the pid now; the start time, read after it was opened, tells who that is.
    const Fd pidfd = open_pidfd(process.pid);
    if (!pidfd && errno == ESRCH) {
        return {Delivery::How::gone, ESRCH}; // any other failure (an old kernel, a filter) leaves kill(2)
    }
    const auto now = read_process(process.pid);
    if (!now || now->start_ticks != process.start_ticks) {
        return {Delivery::How::gone, ESRCH};
    }
    if (newest != nullptr) {
        *newest = newest_pid();
    }
    if (pidfd && ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0) {
        return {};
    }
    // Refused by the kernel, or by a filter that knows kill(2) alone.
    if ((!pidfd || errno != ESRCH) && ::kill(process.pid, signal) == 0) {
        return {};
    }
    return {errno == ESRCH ? Delivery::How::gone : Delivery::How::refused, errno};
}

std::string command_line(const ProcessInfo& process) {
    std::string words = read_proc_file(proc_path(process.pid, "cmdline"));
    while (words.ends_with('\0')) {
        words.pop_back();
    }
    std::ranges::replace(words, '\0', ' ');
    return words.empty() ? process.name : words;
}

bool ignores_signal(pid_t pid, int signal) {
    const auto ignored = mask_in(read_proc_file(proc_path(pid, "status")), ignored_label);
    return ignored && is_in(*ignored, signal);
}

} // namespace finally_run::os
