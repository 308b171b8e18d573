#include "os/adopter.hpp"

#include "os/process.hpp"
#include "os/variables.hpp"

#include <algorithm>
#include <array>
#include <sys/stat.h>
#include <unistd.h>

namespace finally_run::os {

namespace {

// An ancestor that runs the program that we run is a supervisor, so a subreaper.
bool has_finally_run_above() {
    struct stat ours = {};
    if (::stat("/proc/self/exe", &ours) < 0) {
        return false;
    }
    for (auto process = read_process(::getppid()); process; process = read_process(process->parent)) {
        struct stat theirs = {};
        if (::stat(proc_path(process->pid, "exe").c_str(), &theirs) == 0 && theirs.st_dev == ours.st_dev &&
            theirs.st_ino == ours.st_ino) {
            return true;
        }
    }
    return false;
}

} // namespace

bool is_init(std::string_view cmdline) {
    // A script has its interpreter here, so that none is taken for the program it is named after. SysV's init adds the
    // runlevel.
    cmdline = cmdline.substr(0, cmdline.find('\0'));
    cmdline = cmdline.substr(0, cmdline.find(' '));
    cmdline.remove_prefix(cmdline.rfind('/') + 1);
    constexpr std::array<std::string_view, 13> known{
        "init",      "systemd",   "finally-run", "tini",  "tini-static", "docker-init", "podman-init",
        "catatonit", "dumb-init", "s6-svscan",   "runit", "runit-init",  "openrc-init"};
    return std::ranges::find(known, cmdline) != known.end();
}

bool orphans_are_reaped() {
    if (::getpid() == 1) {
        return false; // by us
    }
    return is_init(read_proc_file("/proc/1/cmdline")) ||
           (!variable("FINALLY_RUN_JOURNAL").empty() && has_finally_run_above());
}

} // namespace finally_run::os
