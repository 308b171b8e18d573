#include "action/locks_in_use.hpp"

#include "engine/keeper.hpp"
#include "lock/holder.hpp"
#include "os/process.hpp"
#include "plan/plan.hpp"

#include <algorithm>
#include <map>
#include <sys/stat.h>
#include <system_error>
#include <unordered_map>
#include <utility>

namespace finally_run::action {

namespace {

// By its name.
using Files = std::map<std::string, std::pair<dev_t, ino_t>>;

Files lock_files(const std::filesystem::path& state_dir, std::span<const LiveRun> runs) {
    Files files;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(state_dir, error)) {
        struct stat info = {};
        const std::string name = entry.path().filename();
        if (!name.starts_with('.') && ::lstat(entry.path().c_str(), &info) == 0 && S_ISREG(info.st_mode)) {
            files[name] = {info.st_dev, info.st_ino};
        }
    }
    for (const LiveRun& run : runs) {
        for (const journal::LockId& lock : run.locks) {
            files.try_emplace(name_of(lock, state_dir), lock.device, lock.inode);
        }
    }
    return files;
}

// By their processes. Whoever finishes a run shares the lock with the supervisor, whose pid the kernel goes on naming.
using ByPid = std::unordered_map<pid_t, const LiveRun*>;

ByPid by_pid(std::span<const LiveRun> runs) {
    ByPid found;
    for (const LiveRun& run : runs) {
        if (run.at_work > 0) {
            found.try_emplace(run.supervisor, &run);
            found.try_emplace(run.at_work, &run);
        }
    }
    return found;
}

report::LockUser described(const lock::User& user, const ByPid& runs) {
    report::LockUser it{user.who.pid, user.who.command, {}, user.shared, user.who.since};
    const auto named = runs.find(user.named);
    const auto run = named != runs.end() ? named : runs.find(it.pid);
    if (!user.waits && run != runs.end()) {
        it.pid = run->second->at_work;
        it.command = run->second->command;
        it.run_id = run->second->id;
    }
    return it;
}

// Whoever has the local part of a lock at an engine and no journal yet: that is made once all locks are had.
void look_at_engine(const std::string& name, report::LockUser& user) {
    if (!plan::LockRequest{name}.is_at_engine() || !user.run_id.empty() || user.pid <= 0) {
        return;
    }
    for (const os::ProcessInfo& process : os::all_processes()) {
        if (process.name != engine::Keeper::process_name) {
            continue;
        }
        const auto awaited = engine::Keeper::awaited_by(user.pid, os::command_line(process));
        if (awaited && plan::LockRequest{awaited->name}.file_name() == name) {
            user.at_engine = true;
            user.held_by = awaited->holder;
            return;
        }
    }
}

} // namespace

std::string name_of(const journal::LockId& lock, const std::filesystem::path& state_dir) {
    const std::filesystem::path path(lock.path);
    return path.parent_path() == state_dir ? path.filename().native() : lock.path;
}

std::vector<report::LockStatus> locks_in_use(const std::filesystem::path& state_dir, std::span<const LiveRun> runs) {
    const lock::Users users;
    const ByPid by_process = by_pid(runs);
    const auto at_work = [&](pid_t named) {
        const auto run = by_process.find(named);
        const auto* const process = run != by_process.end() && run->second->process ? &*run->second->process : nullptr;
        return process != nullptr && !process->ended ? process : nullptr;
    };
    std::vector<report::LockStatus> found;
    for (const auto& [name, file] : lock_files(state_dir, runs)) {
        report::LockStatus lock{name, {}, {}};
        for (const lock::User& user : users.of(file.first, file.second, at_work)) {
            report::LockUser it = described(user, by_process);
            if (!user.waits) {
                look_at_engine(name, it);
            }
            (user.waits || it.at_engine ? lock.waiters : lock.holders).push_back(std::move(it));
        }
        std::ranges::sort(lock.holders, {}, &report::LockUser::pid); // the kernel has them in no order
        if (!lock.holders.empty() || !lock.waiters.empty()) {
            found.push_back(std::move(lock));
        }
    }
    return found;
}

} // namespace finally_run::action
