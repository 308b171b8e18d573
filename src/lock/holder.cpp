#include "lock/holder.hpp"

#include "os/boot.hpp"
#include "os/ci.hpp"
#include "os/process.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <span>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace finally_run::lock {

namespace {

// Some file systems, like btrfs, have one device number for stat(2) and another for the kernel's lists.
bool is_at(const std::string& path, dev_t device, ino_t inode) {
    struct statx info = {};
    // What is known without asking a server: one that does not answer must not keep us.
    return ::statx(AT_FDCWD, path.c_str(), AT_STATX_DONT_SYNC, STATX_INO, &info) == 0 && info.stx_ino == inode &&
           ::makedev(info.stx_dev_major, info.stx_dev_minor) == device;
}

// What the process has open, as fdinfo tells it (proc(5)), until `take` returns true; whether it has.
bool any_descriptor(pid_t pid, const std::function<bool(const char* number, const std::string& info)>& take) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(os::proc_path(pid, "fdinfo").c_str()), ::closedir);
    while (const dirent* const entry = directory ? ::readdir(directory.get()) : nullptr) {
        if (take(entry->d_name, os::read_proc_file(os::proc_path(pid, "fdinfo/").append(entry->d_name)))) {
            return true;
        }
    }
    return false;
}

// The lock on the file that a descriptor of the process owns: fdinfo has a "lock:" line for it, whoever took it. To
// read that asks no file system; stat(2) of the descriptor would, and wait for as long as a hung one lets it. It is
// left for the few with a lock on a file of that number.
std::optional<LockLine> held_by(pid_t pid, dev_t device, ino_t inode) {
    const std::string number = std::string(":").append(std::to_string(inode)).append(" ");
    std::optional<LockLine> held;
    any_descriptor(pid, [&](const char* descriptor, const std::string& info) {
        const auto lock = info.find("FLOCK");
        if (lock == info.npos || info.find(number, lock) == info.npos) {
            return false;
        }
        if (!lines_of_locks(info, device, inode).empty() ||
            is_at(os::proc_path(pid, "fd/").append(descriptor), device, inode)) {
            held = LockLine{.pid = pid, .shared = info.find(" READ ", lock) != info.npos, .waits = false};
        }
        return held.has_value();
    });
    return held;
}

// A lock stays with the open file: after `flock 9` in a shell the pid in /proc/locks is that of a flock(1) long gone.
std::optional<LockLine> search_holder(std::span<const pid_t> pids, dev_t device, ino_t inode) {
    for (const pid_t pid : pids) {
        if (auto held = held_by(pid, device, inode)) {
            return held;
        }
    }
    return std::nullopt;
}

std::optional<os::ProcessInfo> search_holder(dev_t device, ino_t inode) {
    const auto held = search_holder(os::all_pids(), device, inode);
    return held ? os::read_process(held->pid) : std::nullopt;
}

// /proc/locks has no line for a lock whose taker has ended, but in the first of all pid namespaces (locks_show() in the
// kernel's fs/locks.c), which has a number of its own (PROC_PID_INIT_INO).
bool locks_are_hidden() {
    constexpr std::uint64_t first_of_all = 0xEFFF'FFFC;
    return os::pid_namespace() != first_of_all;
}

// From /proc/stat, so that all who ask are told the same second: two clocks that are read one after the other would
// differ.
std::time_t time_of_boot() {
    const std::string text = os::read_proc_file("/proc/stat");
    const auto at = text.find("\nbtime ");
    return at == std::string::npos ? 0 : std::strtoll(text.c_str() + at + 7, nullptr, 10);
}

std::chrono::system_clock::time_point wall_time(unsigned long long start_ticks, std::time_t boot) {
    return std::chrono::system_clock::from_time_t(boot) +
           std::chrono::seconds(start_ticks / static_cast<unsigned long long>(::sysconf(_SC_CLK_TCK)));
}

Holder describe(const os::ProcessInfo& process, std::time_t boot) {
    Holder holder;
    holder.pid = process.pid;
    holder.since = wall_time(process.start_ticks, boot);
    holder.command = os::command_line(process);
    holder.job_url = os::job_url(os::environment_of(process.pid));
    return holder;
}

// The next word behind blanks, which is taken away; empty at the end.
std::string_view next_word(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    const std::string_view word = text.substr(0, text.find_first_of(" \t"));
    text.remove_prefix(word.size());
    return word;
}

// "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"; a waiting one has "->" behind the number. A line of fdinfo begins
// with "lock:". nullopt: it is no flock(2) lock, or on another device.
std::optional<LockLine> line_of_lock(std::string_view line, dev_t device) {
    std::string_view word = next_word(line);
    if (word == "lock:") {
        word = next_word(line);
    }
    std::string_view kind = next_word(line);
    const bool waits = kind == "->";
    if (waits) {
        kind = next_word(line);
    }
    next_word(line); // ADVISORY
    const std::string_view mode = next_word(line);
    const std::string_view number = next_word(line);
    const std::string_view place = next_word(line);
    LockLine told{.pid = 0, .shared = mode == "READ", .waits = waits};
    unsigned major_number = 0;
    unsigned minor_number = 0;
    const char* const end = place.data() + place.size();
    const auto first = std::from_chars(place.data(), end, major_number, 16);
    if (kind != "FLOCK" || first.ptr == end ||
        std::from_chars(number.data(), number.data() + number.size(), told.pid).ec != std::errc() ||
        std::from_chars(first.ptr + 1, end, minor_number, 16).ec != std::errc() ||
        ::makedev(major_number, minor_number) != device) {
        return std::nullopt;
    }
    return told;
}

// The number of the file in a line of a lock: what follows the last colon.
std::optional<ino_t> inode_in(std::string_view line) {
    const auto colon = line.rfind(':');
    ino_t inode = 0;
    const bool is_there = colon != line.npos &&
                          std::from_chars(line.data() + colon + 1, line.data() + line.size(), inode).ec == std::errc();
    return is_there ? std::optional(inode) : std::nullopt;
}

} // namespace

std::vector<LockLine> lines_of_locks(std::string_view locks, dev_t device, ino_t inode) {
    std::vector<LockLine> found;
    const std::string tail = std::string(":").append(std::to_string(inode)).append(" ");
    for (auto at = locks.find(tail); at != std::string_view::npos; at = locks.find(tail, at + 1)) {
        const auto before = locks.rfind('\n', at);
        const auto begin = before == std::string_view::npos ? 0 : before + 1;
        const auto told = line_of_lock(locks.substr(begin, at + tail.size() - begin), device);
        if (told) {
            // The kernel tells the list page by page: a line comes twice if other locks are taken meanwhile.
            if (told->pid <= 0 || std::ranges::find(found, *told) == found.end()) {
                found.push_back(*told);
            }
        }
    }
    return found;
}

pid_t owner_in_locks(std::string_view locks, dev_t device, ino_t inode) {
    const auto lines = lines_of_locks(locks, device, inode);
    const auto held = std::ranges::find(lines, false, &LockLine::waits);
    return held == lines.end() ? 0 : held->pid;
}

std::size_t others_in_locks(std::string_view locks, dev_t device, ino_t inode) {
    const auto held = std::ranges::count(lines_of_locks(locks, device, inode), false, &LockLine::waits);
    return held > 1 ? static_cast<std::size_t>(held - 1) : 0;
}

Users::Users() : m_boot(time_of_boot()) {
    const std::string text = os::read_proc_file("/proc/locks");
    for (std::string_view rest = text; !rest.empty();) {
        const std::string_view line = rest.substr(0, rest.find('\n') + 1);
        rest.remove_prefix(line.empty() ? rest.size() : line.size());
        if (const auto inode = inode_in(line)) {
            m_lines[*inode].append(line);
        }
    }
    for (const pid_t pid : locks_are_hidden() ? os::all_pids() : std::vector<pid_t>()) {
        any_descriptor(pid, [&](const char*, const std::string& info) {
            const auto lock = info.find("FLOCK");
            const auto inode =
                lock != info.npos ? inode_in(info.substr(lock, info.find('\n', lock) - lock)) : std::nullopt;
            if (inode) {
                m_owners[*inode].push_back(pid);
            }
            return false;
        });
    }
}

std::vector<User> Users::of(dev_t device, ino_t inode, const Known& known) const {
    const auto text = m_lines.find(inode);
    auto lines = text != m_lines.end() ? lines_of_locks(text->second, device, inode) : std::vector<LockLine>();
    if (const auto owners = m_owners.find(inode);
        owners != m_owners.end() && std::ranges::all_of(lines, &LockLine::waits)) {
        if (const auto held = search_holder(owners->second, device, inode)) {
            lines.push_back(*held);
        }
    }
    std::vector<User> all;
    for (const LockLine& line : lines) {
        User& user = all.emplace_back(User{{}, line.pid, line.shared, line.waits});
        user.who.pid = line.pid;
        if (const auto* const it = known && !line.waits ? known(line.pid) : nullptr) {
            user.who.pid = it->pid;
            user.who.since = wall_time(it->start_ticks, m_boot);
            continue;
        }
        auto process = os::read_process(line.pid);
        if (!line.waits && (!process || process->ended)) {
            process = search_holder(device, inode);
        }
        if (process) {
            user.who = describe(*process, m_boot);
        }
    }
    return all;
}

std::optional<Holder> find_holder(dev_t device, ino_t inode) {
    const std::string locks = os::read_proc_file("/proc/locks");
    auto process = os::read_process(owner_in_locks(locks, device, inode));
    if (!process) {
        process = search_holder(device, inode);
    }
    if (!process) {
        return std::nullopt;
    }
    Holder holder = describe(*process, time_of_boot());
    holder.others = others_in_locks(locks, device, inode);
    return holder;
}

bool is_detached_from(pid_t session) {
    struct sigaction action = {};
    return session != ::getsid(0) && ::sigaction(SIGHUP, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

std::optional<Holder> find_outer_holder(dev_t device, ino_t inode) {
    // Where we may not look into the descriptors of another user the owner in /proc/locks serves. The list is as long
    // as all queues together: it is read if there is a run around us at all.
    std::optional<pid_t> owner;
    const auto owns_it = [&](pid_t pid) {
        if (!owner) {
            owner = owner_in_locks(os::read_proc_file("/proc/locks"), device, inode);
        }
        return pid == *owner;
    };
    const auto self = os::read_process(::getpid());
    const std::string own_name = self ? self->name : "";
    for (auto process = os::read_process(::getppid()); process; process = os::read_process(process->parent)) {
        const bool is_run = process->name == "finally-run" || process->name == own_name;
        if (is_run && !is_detached_from(process->session) &&
            (owns_it(process->pid) || held_by(process->pid, device, inode))) {
            return describe(*process, time_of_boot());
        }
    }
    return std::nullopt;
}

} // namespace finally_run::lock
