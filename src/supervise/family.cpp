#include "supervise/family.hpp"

#include <algorithm>
#include <unistd.h>
#include <unordered_set>

namespace finally_run::supervise {

Family::Family() {
    if (os::has_children()) {
        m_strangers = os::descendants(::getpid());
    }
}

bool Family::is_stranger(const os::ProcessInfo& process) const {
    const pid_t group = ::getpgrp();
    const pid_t session = ::getsid(0);
    return std::any_of(m_strangers.begin(), m_strangers.end(), [&](const os::ProcessInfo& other) {
        const bool same = other.pid == process.pid && other.start_ticks == process.start_ticks;
        // What a stranger starts while the command runs may become our child, but stays in the stranger's group or
        // session.
        const bool same_group = other.group == process.group && process.group != group;
        const bool same_session = other.session == process.session && process.session != session;
        return same || same_group || same_session;
    });
}

std::vector<os::ProcessInfo> Family::members(Scope scope, pid_t command,
                                             const std::function<bool(const os::ProcessInfo&)>& is_spared) const {
    if (!os::has_children()) {
        return {};
    }
    const pid_t session = ::getsid(0);
    std::unordered_set<pid_t> strangers;
    std::vector<os::ProcessInfo> found;
    for (const os::ProcessInfo& process : os::descendants(::getpid())) {
        const bool in_scope = scope == Scope::everywhere || process.session == session || process.session == command;
        // Parents come before their children.
        if (is_stranger(process) || strangers.contains(process.parent) ||
            (in_scope && is_spared && is_spared(process))) {
            strangers.insert(process.pid);
        } else if (in_scope) {
            found.push_back(process);
        }
    }
    return found;
}

} // namespace finally_run::supervise
