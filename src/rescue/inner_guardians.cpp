#include "rescue/inner_guardians.hpp"

#include "journal/leftover.hpp"
#include "journal/runs.hpp"
#include "os/boot.hpp"
#include "os/fd.hpp"

#include <algorithm>
#include <array>
#include <fcntl.h>
#include <optional>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <variant>

namespace finally_run::rescue {

namespace {

std::string link_target(const std::string& link) {
    std::array<char, 4096> target{};
    const ssize_t size = ::readlink(link.c_str(), target.data(), target.size());
    return {target.data(), static_cast<std::size_t>(size > 0 ? size : 0)};
}

// No more of it is read: what is behind may be more than there is memory for, and is that run's business.
std::optional<journal::Opened> first_record(int fd) {
    std::string bytes;
    for (std::size_t size = 4096;; size *= 2) {
        bytes.resize(size);
        const ssize_t got = ::pread(fd, bytes.data(), size, 0);
        bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        journal::First first = journal::first_of(bytes, 0);
        if (auto* const opened = first.record ? std::get_if<journal::Opened>(&*first.record) : nullptr) {
            return std::move(*opened);
        }
        if (first.kind != journal::First::Kind::unfinished || bytes.size() < size) {
            return std::nullopt;
        }
    }
}

// The first record of the journal that this link of /proc leads to, if somebody holds its lock. By the link, since the
// guardian that is about to end has removed the name.
std::optional<journal::Opened> locked_journal(const std::string& link) {
    const os::Fd fd(::open(link.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    struct stat info = {};
    if (!fd || ::fstat(fd.get(), &info) < 0 || !S_ISREG(info.st_mode) || info.st_uid != ::geteuid() ||
        ::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) {
        return std::nullopt;
    }
    return first_record(fd.get());
}

std::optional<journal::Opened> guarded_by(const os::ProcessInfo& process) {
    if (process.name != "finally-guard") {
        return std::nullopt;
    }
    for (const int fd : os::open_descriptors(process.pid)) {
        const std::string link = os::proc_path(process.pid, "fd/" + std::to_string(fd));
        // Made by O_TMPFILE, it goes by the number of its inode. No other file is touched: its disk may not answer.
        if (std::filesystem::path(link_target(link)).parent_path().filename() != journal::runs_directory) {
            continue;
        }
        if (auto opened = locked_journal(link)) {
            return opened;
        }
    }
    return std::nullopt;
}

// Whether the run around it, or one further out, is the one with this journal.
bool is_inside(std::string outer, const std::filesystem::path& journal) {
    constexpr int deep_enough = 32;
    for (int depth = 0; depth < deep_enough && !outer.empty(); ++depth) {
        if (outer == journal.native()) {
            return true;
        }
        const auto state = journal::read_state(outer);
        outer = state ? state->opened.outer : "";
    }
    return false;
}

} // namespace

bool is_guardian(const os::ProcessInfo& process) { return guarded_by(process).has_value(); }

std::vector<os::ProcessInfo> guardians_at_work(const std::filesystem::path& journal) {
    std::vector<os::ProcessInfo> found;
    for (const os::ProcessInfo& process : os::all_processes()) {
        if (process.pid == ::getpid()) {
            continue;
        }
        const auto opened = guarded_by(process);
        if (opened && is_inside(opened->outer, journal) && opened->pid_namespace == os::pid_namespace() &&
            !os::still_runs(opened->supervisor.pid, opened->supervisor.boot_nanoseconds)) {
            found.push_back(process);
        }
    }
    return found;
}

} // namespace finally_run::rescue
