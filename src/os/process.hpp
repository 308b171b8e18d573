// Other processes as /proc shows them: proc(5).
#pragma once

#include "os/fd.hpp"

#include <compare>
#include <csignal>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <unordered_set>
#include <vector>

namespace finally_run::os {

// A pid together with its start time is an identity; a pid alone may be somebody else's by now.
struct ProcessInfo {
    pid_t pid;
    pid_t parent;
    pid_t group;
    pid_t session;
    char state;                     // 'T': stopped
    bool ended;                     // ... but not reaped yet
    unsigned long long start_ticks; // since boot, in units of sysconf(_SC_CLK_TCK)
    int exit_signal;                // what its parent gets when it ends
    std::string name;               // comm: at most 15 bytes
};

// nullopt: no such process, or no /proc.
[[nodiscard]] std::optional<ProcessInfo> read_process(pid_t pid);

// The next change of state of our child `pid` that waitid(2) has for us, without waiting. All other children that have
// ended are reaped on the way: as a subreaper or as pid 1 we are given the orphans.
// `other` hears of each of them.
using OtherChild = std::function<void(const siginfo_t&)>;
[[nodiscard]] std::optional<siginfo_t> next_change(pid_t pid, const OtherChild& other = {});

// Reaps every child that has ended.
void reap_all(const OtherChild& other = {});

// Whether it is a child of ours, ended or not, that we have not reaped.
[[nodiscard]] bool is_child(pid_t pid);

// Whether any child is left, ended or not; as a subreaper without one we have no descendants at all.
[[nodiscard]] bool has_children();

// What two looks, one after the other, both find, without those that have ended. /proc is no snapshot: of a parent that
// ends right after it forked, one look may see neither it nor its child. If no two of ten looks find the same, those
// that have ended are left in: somebody who forks and ends again and again may be seen by none.
[[nodiscard]] std::vector<ProcessInfo> look_until_settled(const std::function<std::vector<ProcessInfo>()>& look);

// Those of `others` that descend from `family`, parents before children.
[[nodiscard]] std::vector<ProcessInfo> descending_from(std::unordered_set<pid_t> family,
                                                       std::vector<ProcessInfo> others);

// Every descendant of `root` that has not ended (see above), parents before children. We are a subreaper, so that those
// whose parent has ended are still ours. Left out is a child of `root` that does not end with SIGCHLD: nobody is given
// such an orphan, so it is one that `root` cloned for its own ends.
[[nodiscard]] std::vector<ProcessInfo> descendants(pid_t root);

// Readable when the process has ended; close-on-exec. Empty with errno if it cannot be had: ESRCH, or an old kernel.
[[nodiscard]] Fd open_pidfd(pid_t pid);

// All processes that have not ended, in the order of their pids; none without /proc.
[[nodiscard]] std::vector<ProcessInfo> all_processes();

// Those of them that lead a process group, or are in one whose leader is gone.
[[nodiscard]] std::vector<ProcessInfo> leaders_and_leaderless();

// Those that are in one of two sessions, and `process` whatever its own; also those that have ended.
[[nodiscard]] std::vector<ProcessInfo> processes_in(pid_t session, pid_t other_session, pid_t process);

// Did it start before, at or after that time of CLOCK_BOOTTIME, as far as the ticks of /proc tell? Who has a pid at
// some time did not start after it; who got the pid later did.
[[nodiscard]] std::strong_ordering start_against(const ProcessInfo& process, std::uint64_t boot_nanoseconds);

// Whether the process with this pid started at that time of CLOCK_BOOTTIME, or so shortly before it that it may have
// written the time down itself: where nothing says that it is the same boot, an older process may be anybody.
[[nodiscard]] bool started_just_then(pid_t pid, std::uint64_t boot_nanoseconds);

// The process that had this pid at that time of CLOCK_BOOTTIME, if it has not ended yet.
[[nodiscard]] std::optional<ProcessInfo> running(pid_t pid, std::uint64_t boot_nanoseconds);

[[nodiscard]] bool still_runs(pid_t pid, std::uint64_t boot_nanoseconds);

// Whether /proc shows processes at all.
[[nodiscard]] bool processes_are_visible();

// What /proc/PID/exe leads to; empty: it cannot be seen, or there is none.
[[nodiscard]] std::string program_of(pid_t pid);

// The environment that the process was started with, as environ(7) has it in memory; empty: it has none, or that cannot
// be read. In the midst of execve(2) a process has neither words nor an environment: that is waited for.
[[nodiscard]] std::string environment_of(pid_t pid);

// Whether "NAME=value" is in the environment that the process was started with; false if that cannot be read.
[[nodiscard]] bool was_started_with(pid_t pid, std::string_view variable);

struct Delivery {
    enum class How { sent, gone, refused } how = How::sent;
    int error = 0; // errno, if it was not sent
    [[nodiscard]] bool sent() const { return how == How::sent; }
};

// Sends a signal to this very process. `newest` is set to newest_pid(), right before the signal.
Delivery send_signal(const ProcessInfo& process, int signal, pid_t* newest = nullptr);

// The pid that was given out last in our pid namespace, where they go up and around; 0 if it is not known.
[[nodiscard]] pid_t newest_pid();

// Its words, separated by blanks; its name if they cannot be read.
[[nodiscard]] std::string command_line(const ProcessInfo& process);

[[nodiscard]] bool ignores_signal(pid_t pid, int signal);

// All processes that we can see, in the order of their pids; none without /proc.
[[nodiscard]] std::vector<pid_t> all_pids();

// Open descriptors, as /proc shows them: ours, or those of another process.
[[nodiscard]] std::vector<int> open_descriptors();
[[nodiscard]] std::vector<int> open_descriptors(pid_t pid);

// "/proc/PID/file"
[[nodiscard]] std::string proc_path(pid_t pid, std::string_view file);

// A file of /proc, whole; empty if it cannot be read.
[[nodiscard]] std::string read_proc_file(const std::string& path);

} // namespace finally_run::os
