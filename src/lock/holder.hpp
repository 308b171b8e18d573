// Who holds a lock, as far as /proc shows it to us.
#pragma once

#include "os/process.hpp"

#include <chrono>
#include <cstddef>
#include <ctime>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <unordered_map>
#include <vector>

namespace finally_run::lock {

struct Holder {
    pid_t pid = 0;                               // 0: it has none here, it is in another pid namespace
    std::string command;                         // its words, separated by blanks; foreign text
    std::chrono::system_clock::time_point since; // when the process started
    std::string run_id;                          // if its journal has told
    std::string job_url;                         // if a CI system started it
    bool cleaning_up = false;                    // its command is over, as its journal has told
    std::size_t others = 0;                      // who share the lock with it
};

// What /proc/locks (proc(5)) says of one flock(2) lock.
struct LockLine {
    pid_t pid; // who asked for it; may have ended, if others share the open file
    bool shared;
    bool waits;

    bool operator==(const LockLine&) const = default;
};

// The holder of the flock(2) lock on this file. nullopt if it cannot be seen: it is another user's, or it lives in
// another pid namespace or on another machine.
[[nodiscard]] std::optional<Holder> find_holder(dev_t device, ino_t inode);

// The same, if the holder is a run that we are a part of: it waits for us, so waiting for it would never end.
[[nodiscard]] std::optional<Holder> find_outer_holder(dev_t device, ino_t inode);

// Whether what was started in that session is not waited for there: in a session of our own, and deaf to its end, as
// after `setsid nohup`.
[[nodiscard]] bool is_detached_from(pid_t session);

// Those of the file, from the text of /proc/locks.
[[nodiscard]] std::vector<LockLine> lines_of_locks(std::string_view locks, dev_t device, ino_t inode);

// Who holds the lock or waits for it.
struct User {
    Holder who;  // only the pid, if nothing can be seen of it
    pid_t named; // in /proc/locks
    bool shared;
    bool waits;
};

// Who uses which lock, at one moment: for whoever asks about many.
class Users {
public:
    Users(); // reads /proc/locks

    // All who use this one. `known` may say which process stands for the one that is named: whoever knows that is not
    // told more of it than since when it lives. nullptr: not known.
    using Known = std::function<const os::ProcessInfo*(pid_t named)>;
    [[nodiscard]] std::vector<User> of(dev_t device, ino_t inode, const Known& known = {}) const;

private:
    std::unordered_map<ino_t, std::string> m_lines; // of /proc/locks, by the file that they name
    // Those who have a lock on a file of that number open, where /proc/locks does not name all.
    std::unordered_map<ino_t, std::vector<pid_t>> m_owners;
    std::time_t m_boot;
};

// The pid that is named there for a lock on the file that is held; 0 if none.
[[nodiscard]] pid_t owner_in_locks(std::string_view locks, dev_t device, ino_t inode);

// How many hold it besides one of them, by the same text.
[[nodiscard]] std::size_t others_in_locks(std::string_view locks, dev_t device, ino_t inode);

} // namespace finally_run::lock
