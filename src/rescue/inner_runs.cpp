#include "rescue/inner_runs.hpp"

#include "journal/file.hpp"
#include "journal/runs.hpp"
#include "os/boot.hpp"
#include "os/fd.hpp"
#include "os/variables.hpp"

#include <exception>
#include <fcntl.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace finally_run::rescue {

namespace {

constexpr std::string_view guardian_name = "finally-guard";
constexpr std::string_view keeper_name = "finally-keeper";

// One without a run to finish has no journal open.
bool is_keeper(const os::ProcessInfo& process) {
    if (process.name != keeper_name) {
        return false;
    }
    const auto program = os::program_of(process.pid);
    return !program.empty() && program == os::program_of(::getpid());
}

// Who holds a lock for a keeper. They have a session of their own.
bool is_keepers(const os::ProcessInfo& process) {
    const auto leader = process.session > 0 ? os::read_process(process.session) : std::nullopt;
    const auto parent = leader && leader->parent > 1 ? os::read_process(leader->parent) : std::nullopt;
    return parent && is_keeper(*parent);
}

// The first record of the journal that this link of /proc leads to, if somebody holds its lock: no more of it, which is
// that run's business and may be more than there is memory for. By the link, since the guardian that is about to end
// has removed the name.
std::optional<journal::Opened> locked_journal(const std::string& link) {
    os::Fd fd(::open(link.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    struct stat info = {};
    if (!fd || ::fstat(fd.get(), &info) < 0 || !S_ISREG(info.st_mode) || info.st_uid != ::geteuid()) {
        return std::nullopt;
    }
    try {
        auto journal = journal::File::around(std::move(fd), link);
        return journal.is_locked_by_other() ? journal.read_opened() : std::nullopt;
    } catch (const std::exception&) { // it cannot be read
        return std::nullopt;
    }
}

// Whether it is this open file that has the lock: proc(5), "lock:" in fdinfo, for those who share it as well.
bool has_lock(pid_t pid, int fd) {
    const std::string info = os::read_proc_file(os::proc_path(pid, "fdinfo/" + std::to_string(fd)));
    const auto lock = info.find("FLOCK");
    return lock != std::string::npos && info.find(" WRITE ", lock) != std::string::npos;
}

// The descriptors of journals that a process has, one that has the lock first. A guardian that looks around as we do
// has another's journal open for a moment, which that one holds the lock of. Where fdinfo tells no locks (gVisor), they
// stay in their order.
std::vector<std::string> journals_of(pid_t pid) {
    std::vector<std::string> links;
    for (const int fd : os::open_descriptors(pid)) {
        std::string link = os::proc_path(pid, "fd/" + std::to_string(fd));
        // Made by O_TMPFILE, it goes by the number of its inode. No other file is touched: its disk may not answer.
        std::error_code gone;
        if (journal::is_place_of_journal(std::filesystem::read_symlink(link, gone))) {
            links.insert(has_lock(pid, fd) ? links.begin() : links.end(), std::move(link));
        }
    }
    return links;
}

std::optional<journal::Opened> guarded_by(const os::ProcessInfo& process) {
    if (process.name != guardian_name && process.name != keeper_name) {
        return std::nullopt;
    }
    for (const std::string& link : journals_of(process.pid)) {
        if (auto opened = locked_journal(link)) {
            return opened;
        }
    }
    return std::nullopt;
}

// What a guardian has just forked looks like it, and by now it is a program: a cleanup, which nobody cuts off.
bool was_forked_by_one(const os::ProcessInfo& process) {
    if (process.name != guardian_name && process.name != keeper_name) {
        return false;
    }
    const auto now = os::read_process(process.pid);
    return now && now->start_ticks == process.start_ticks && now->name != process.name;
}

std::string words_of(pid_t pid) { return os::read_proc_file(os::proc_path(pid, "cmdline")); }

// A copy of an inner supervisor: what that starts is one until execve(2), and has the environment of a cleanup only
// from there on. Whatever it becomes, that run ends it.
bool is_copy_of_supervisor(const os::ProcessInfo& process) {
    const auto program = os::program_of(process.pid);
    return process.parent > 1 && process.parent != ::getpid() && !program.empty() &&
           program == os::program_of(::getpid()) && program == os::program_of(process.parent) &&
           words_of(process.pid) == words_of(process.parent);
}

// What runs in a cleanup itself cannot tell: all that it starts has inherited that variable.
bool is_cleanup_of_other(const os::ProcessInfo& process, const std::filesystem::path& journal) {
    if (are_in_cleanup()) {
        return false;
    }
    const std::string environment = os::environment_of(process.pid);
    const std::string_view other = os::variable_in(environment, "FINALLY_RUN_JOURNAL");
    return !os::variable_in(environment, "FINALLY_RUN_BY").empty() && !other.empty() && other != journal.native() &&
           journal::is_there(other); // it goes when the run is over
}

} // namespace

std::string outer_of(const std::filesystem::path& journal) {
    try {
        const auto opened = journal::File::open_to_read(journal).read_opened();
        return opened ? opened->outer : "";
    } catch (const std::exception&) {
        return {};
    }
}

bool is_inside(std::string outer, const std::filesystem::path& journal) {
    constexpr int deep_enough = 32;
    for (int depth = 0; depth < deep_enough && !outer.empty(); ++depth) {
        if (std::filesystem::path(outer).filename() == journal.filename()) { // whatever way leads to the directory
            return true;
        }
        outer = outer_of(outer);
    }
    return false;
}

bool are_in_cleanup() { return !os::variable("FINALLY_RUN_BY").empty(); }

bool is_around_us(const std::filesystem::path& journal) {
    return is_inside(std::string(os::variable("FINALLY_RUN_JOURNAL")), journal);
}

bool is_guardian(const os::ProcessInfo& process) {
    return guarded_by(process).has_value() || is_keeper(process) || is_keepers(process) || was_forked_by_one(process);
}

bool is_spared(const os::ProcessInfo& process, const std::filesystem::path& journal) {
    return is_guardian(process) || is_copy_of_supervisor(process) || is_cleanup_of_other(process, journal);
}

std::vector<os::ProcessInfo> guardians_at_work(const std::filesystem::path& journal) {
    std::vector<os::ProcessInfo> found;
    // Each guardian and keeper is the one, or the other as long as it has not run yet.
    for (const os::ProcessInfo& process : os::leaders_and_leaderless()) {
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
