#include "supervise/family.hpp"

#include "os/variables.hpp"

#include <algorithm>
#include <string>
#include <unistd.h>
#include <unordered_set>

namespace finally_run::supervise {

namespace {

// On a terminal the cleanups of a run below us are in our session. They are that run's business: nothing cuts one off.
bool is_cleanup(const os::ProcessInfo& process) {
    const std::string environment = os::read_proc_file(os::proc_path(process.pid, "environ"));
    return !os::variable_in(environment, "FINALLY_RUN_BY").empty();
}

} // namespace

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
                                             const std::function<bool(const os::ProcessInfo&)>& is_guardian) const {
    if (!os::has_children()) {
        return {};
    }
    const pid_t session = ::getsid(0);
    // What runs in a cleanup itself cannot tell.
    const bool looks_for_cleanups = scope == Scope::own_session && os::variable("FINALLY_RUN_BY").empty();
    std::unordered_set<pid_t> strangers;
    std::vector<os::ProcessInfo> found;
    for (const os::ProcessInfo& process : os::descendants(::getpid())) {
        const bool in_scope = scope == Scope::everywhere || process.session == session || process.session == command;
        // Parents come before their children.
        if (is_stranger(process) || strangers.contains(process.parent) || (looks_for_cleanups && is_cleanup(process)) ||
            (in_scope && is_guardian && is_guardian(process))) {
            strangers.insert(process.pid);
        } else if (in_scope) {
            found.push_back(process);
        }
    }
    return found;
}

} // namespace finally_run::supervise
