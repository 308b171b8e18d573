#include "action/holders.hpp"

#include "journal/file.hpp"
#include "journal/leftover.hpp"
#include "journal/origin.hpp"
#include "journal/runs.hpp"
#include "lock/lock_id.hpp"
#include "os/process.hpp"
#include "os/variables.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>
#include <string>

namespace finally_run::action {

namespace {

// If the run with this journal lives and has the lock. `outer`: the journal of the run around it.
std::optional<lock::Holder> as_holder(const std::filesystem::path& journal, dev_t device, ino_t inode,
                                      std::string* outer = nullptr) {
    const auto state = journal::read_state(journal);
    if (!state) {
        return std::nullopt;
    }
    const journal::Opened& opened = state->opened;
    if (outer != nullptr) {
        *outer = opened.outer;
    }
    const auto id = std::ranges::find_if(opened.locks,
                                         [&](const journal::LockId& one) { return lock::is_file(one, device, inode); });
    if (id == opened.locks.end() || (outer != nullptr && lock::is_detached_from(opened.session)) || state->over ||
        !journal::File::open_to_read(journal).is_locked_by_other()) {
        return std::nullopt;
    }
    lock::Holder holder;
    holder.pid = state->at_work();
    if (journal::origin_of(opened).pids == journal::Pids::others) { // it is one of another namespace
        const auto seen = lock::find_holder(device, inode);
        holder.pid = seen ? seen->pid : 0;
    }
    holder.cleaning_up = state->cleans_up();
    holder.command = opened.command;
    holder.since = std::chrono::system_clock::from_time_t(opened.started);
    holder.run_id = opened.run_id;
    holder.job_url = opened.job_url;
    if (outer == nullptr && id->shared) { // else nobody has it too, and the list is long where many wait
        holder.others = lock::others_in_locks(os::read_proc_file("/proc/locks"), device, inode);
    }
    return holder;
}

std::optional<lock::Holder> find(const std::filesystem::path& state_dir, dev_t device, ino_t inode) {
    try {
        if (journal::Runs::exist(state_dir)) {
            for (const journal::Item& item : journal::Runs(state_dir).items()) {
                if (auto holder = as_holder(item.path, device, inode)) {
                    return holder;
                }
            }
        }
    } catch (const std::exception&) { // it has just ended, or the directory cannot be read
    }
    return lock::find_holder(device, inode);
}

std::optional<lock::Holder> find_outer(dev_t device, ino_t inode) {
    try {
        std::string path(os::variable("FINALLY_RUN_JOURNAL"));
        // Nobody nests that deep; a circle would be a file that somebody has made up.
        for (int depth = 0; depth < 100 && !path.empty(); ++depth) {
            std::string outer;
            if (auto holder = as_holder(path, device, inode, &outer)) {
                return holder;
            }
            path = outer;
        }
    } catch (const std::exception&) { // it has just ended
    }
    return lock::find_outer_holder(device, inode);
}

} // namespace

lock::Holders holders_by_journal(const std::filesystem::path& state_dir) {
    return {.any = [state_dir](dev_t device, ino_t inode) { return find(state_dir, device, inode); },
            .outer = find_outer};
}

} // namespace finally_run::action
