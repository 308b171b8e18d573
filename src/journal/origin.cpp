#include "journal/origin.hpp"

#include "os/process.hpp"

namespace finally_run::journal {

namespace {

// A machine without an id is known by its name, for as long as it is up.
bool is_same_host(const Opened& opened, const Here& here, bool same_boot) {
    if (!opened.host) {
        return same_boot;
    }
    if (!here.machine_id.empty() && !opened.host->machine_id.empty()) {
        return here.machine_id == opened.host->machine_id;
    }
    return same_boot && here.host_name == opened.host->name;
}

} // namespace

Origin origin_of(const Opened& opened, const Here& here) {
    const bool boots_known = !here.boot_id.empty() && !opened.boot_id.empty();
    Origin origin;
    origin.same_boot = boots_known && here.boot_id == opened.boot_id;
    origin.same_host = is_same_host(opened, here, origin.same_boot);
    const bool another_boot = boots_known && !origin.same_boot;
    const bool same_pid_namespace = opened.pid_namespace != 0 && opened.pid_namespace == here.pid_namespace;
    const bool another_time = opened.host && opened.host->time_namespace != here.time_namespace;
    if (!origin.same_host || another_boot || !same_pid_namespace || another_time) {
        origin.pids = Pids::others;
    } else if (!boots_known || !opened.host) {
        origin.pids = Pids::same_if_start_fits;
    }
    origin.may_live = origin.pids != Pids::same && (!origin.same_host || !another_boot);
    return origin;
}

bool can_be_told(Pids pids, const ProcessId& process) {
    return pids == Pids::same ||
           (pids == Pids::same_if_start_fits && os::started_just_then(process.pid, process.boot_nanoseconds));
}

} // namespace finally_run::journal
