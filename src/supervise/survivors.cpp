#include "supervise/survivors.hpp"

#include <compare>
#include <unistd.h>
#include <unordered_set>
#include <utility>

namespace finally_run::supervise {

std::vector<os::ProcessInfo> Survivors::members() const {
    return os::look_until_settled([this] { return look(); });
}

std::vector<os::ProcessInfo> Survivors::look() const {
    std::vector<os::ProcessInfo> found;
    std::vector<os::ProcessInfo> others;
    std::unordered_set<pid_t> pids;
    for (os::ProcessInfo& process : os::all_processes()) {
        if (process.session != session || process.pid == ::getpid()) {
            continue;
        }
        const auto start = os::start_against(process, boot_nanoseconds);
        const bool is_step = process.pid == pid && std::is_lteq(start);
        // Those of an earlier step are none of its.
        const bool is_later = std::is_gteq(start) && process.pid != pid;
        if (is_step ||
            (is_later && ((alone_in_group && process.group == pid) || os::was_started_with(process.pid, mark)))) {
            pids.insert(process.pid);
            found.push_back(std::move(process));
        } else if (is_later) {
            others.push_back(std::move(process));
        }
    }
    // A child may have a smaller pid than its parent: repeat until nobody is added.
    for (bool grown = true; grown;) {
        grown = false;
        for (os::ProcessInfo& process : others) {
            if (process.pid != 0 && pids.contains(process.parent)) {
                pids.insert(process.pid);
                found.push_back(process);
                process.pid = 0;
                grown = true;
            }
        }
    }
    return found;
}

} // namespace finally_run::supervise
