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

std::vector<os::ProcessInfo> Family::members(Scope scope) const {
    if (!os::has_children()) {
        return {};
    }
    const pid_t session = ::getsid(0);
    std::unordered_set<pid_t> strangers;
    std::vector<os::ProcessInfo> found;
    for (const os::ProcessInfo& process : os::descendants(::getpid())) {
        const bool known = std::any_of(m_strangers.begin(), m_strangers.end(), [&](const os::ProcessInfo& other) {
            return other.pid == process.pid && other.start_ticks == process.start_ticks;
        });
        // Parents come before their children.
        if (known || strangers.contains(process.parent)) {
            strangers.insert(process.pid);
        } else if (scope == Scope::everywhere || process.session == session) {
            found.push_back(process);
        }
    }
    return found;
}

} // namespace finally_run::supervise
