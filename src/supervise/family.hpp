// The processes that a command leaves behind.
#pragma once

#include "os/process.hpp"

#include <functional>
#include <sys/types.h>
#include <vector>

namespace finally_run::supervise {

enum class Scope { own_session, everywhere };

class Family {
public:
    // Those that are there already, from an earlier step, do not belong to the command.
    Family();

    // All living processes that descend from the command, ourselves as their subreaper; with own_session only those of
    // the session that we are in, and of the one that the command may have made. Left out is who `is_spared`, if that
    // is given, with all that descends from it.
    [[nodiscard]] std::vector<os::ProcessInfo>
    members(Scope scope, pid_t command, const std::function<bool(const os::ProcessInfo&)>& is_spared = {}) const;

private:
    [[nodiscard]] bool is_stranger(const os::ProcessInfo& process) const;

    std::vector<os::ProcessInfo> m_strangers;
};

} // namespace finally_run::supervise
