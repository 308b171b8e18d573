#include "lock/holder.hpp"

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

// Whether a descriptor of the process is the one that owns a lock on the file: fdinfo has a "lock:" line for it
// (proc(5)), whoever took it. To read that asks no file system; stat(2) of the descriptor would, and wait for as long
// as a hung one lets it. It is left for the few with a lock on a file of that number.
bool holds(pid_t pid, dev_t device, ino_t inode) {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(os::proc_path(pid, "fdinfo").c_str()), ::closedir);
    if (!directory) {
        return false;
    }
    const std::string number = std::string(":").append(std::to_string(inode)).append(" ");
    while (const dirent* const entry = ::readdir(directory.get())) {
        const std::string text = os::read_proc_file(os::proc_path(pid, "fdinfo/").append(entry->d_name));
        const auto lock = text.find("FLOCK");
        if (lock == std::string::npos || text.find(number, lock) == std::string::npos) {
            continue;
        }
        if (owner_in_locks(text, device, inode) != 0 ||
            is_at(os::proc_path(pid, "fd/").append(entry->d_name), device, inode)) {
            return true;
        }
    }
    return false;
}

// A lock stays with the open file: after `flock 9` in a shell the pid in /proc/locks is that of a flock(1) long gone.
pid_t search_holder(dev_t device, ino_t inode) {
    for (const pid_t pid : os::all_pids()) {
        if (holds(pid, device, inode)) {
            return pid;
        }
    }
    return 0;
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
        const auto colon = line.rfind(':');
        ino_t inode = 0;
        if (colon != line.npos &&
            std::from_chars(line.data() + colon + 1, line.data() + line.size(), inode).ec == std::errc()) {
            m_lines[inode].append(line);
        }
    }
}

std::vector<User> Users::of(dev_t device, ino_t inode, const Known& known) const {
    const auto lines = m_lines.find(inode);
    if (lines == m_lines.end()) {
        return {};
    }
    std::vector<User> all;
    for (const LockLine& line : lines_of_locks(lines->second, device, inode)) {
        User& user = all.emplace_back(User{{}, line.pid, line.shared, line.waits});
        user.who.pid = line.pid;
        if (const auto* const it = known && !line.waits ? known(line.pid) : nullptr) {
            user.who.pid = it->pid;
            user.who.since = wall_time(it->start_ticks, m_boot);
            continue;
        }
        auto process = os::read_process(line.pid);
        if (!line.waits && (!process || process->ended)) {
            process = os::read_process(search_holder(device, inode));
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
        process = os::read_process(search_holder(device, inode));
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
            (owns_it(process->pid) || holds(process->pid, device, inode))) {
            return describe(*process, time_of_boot());
        }
    }
    return std::nullopt;
}

} // namespace finally_run::lock
