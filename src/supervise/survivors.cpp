#include "supervise/survivors.hpp"

#include <algorithm>
#include <compare>
#include <iterator>
#include <unistd.h>
#include <unordered_set>
#include <utility>

namespace finally_run::supervise {

std::vector<os::ProcessInfo> Survivors::members() {
    return os::look_until_settled([this] { return look(); });
}

bool Survivors::is_root(const os::ProcessInfo& process) const {
    const auto is_it = [&](const os::ProcessInfo& other) {
        return other.pid == process.pid && other.start_ticks == process.start_ticks;
    };
    return process.pid == pid || (alone_in_group && (process.group == pid || process.session == pid)) ||
           std::ranges::any_of(found, is_it) || (!mark.empty() && os::was_started_with(process.pid, mark));
}

std::vector<os::ProcessInfo> Survivors::look() {
    std::vector<os::ProcessInfo> roots;
    std::vector<os::ProcessInfo> others;
    std::unordered_set<pid_t> pids;
    for (os::ProcessInfo& process : os::processes_in(session, alone_in_group ? pid : session, pid)) {
        const auto start = os::start_against(process, boot_nanoseconds);
        const bool is_step = process.pid == pid && std::is_lteq(start);
        // Those of an earlier step are none of its.
        const bool is_later = std::is_gteq(start) && process.pid != pid;
        if (process.pid == ::getpid() || !(is_step || is_later)) {
            continue;
        }
        if (is_root(process)) {
            pids.insert(process.pid);
            roots.push_back(std::move(process));
        } else {
            others.push_back(std::move(process));
        }
    }
    found = std::move(roots);
    std::ranges::move(os::descending_from(std::move(pids), std::move(others)), std::back_inserter(found));
    return found;
}

} // namespace finally_run::supervise
