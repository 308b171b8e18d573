// Taking the run's locks: all of them, or none.
#pragma once

#include "lock/holder.hpp"
#include "lock/lock_file.hpp"
#include "os/events.hpp"
#include "plan/plan.hpp"

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace finally_run::lock {

// Holds its locks until it is destroyed. The descriptors are close-on-exec: nothing that we start keeps a lock.
using Held = std::vector<LockFile>;

struct NotHad {
    enum class Why { busy, outer_run };
    Why why;
    std::string name; // as the user wrote it
    std::optional<Holder> holder;
};

// Called after one second of waiting, and again after what it returns; nullopt: no more.
using WhileWaiting =
    std::function<text::Limit(const std::string& name, const std::optional<Holder>& holder, text::Duration waited)>;

// Who knows the holder of the file with this device and inode; nullopt: it is not known.
using FindHolder = std::function<std::optional<Holder>(dev_t device, ino_t inode)>;

struct Holders {
    FindHolder any = find_holder;
    FindHolder outer = find_outer_holder; // a run that we are a part of
};

// At once, even if another process shares the open files: flock(2).
void release(const Held& locks) noexcept;

// Takes the locks in an order that is the same for every run (by inode, then device: whatever path leads there), so
// that two runs cannot wait for each other. Two names of one file are one lock, exclusive if either is. Throws
// std::system_error if a file cannot be opened or its file system has no locks.
[[nodiscard]] std::variant<Held, NotHad, os::Interrupted>
acquire(std::span<const plan::LockRequest> requests, const std::filesystem::path& state_dir, text::Limit wait,
        os::Events& events, const WhileWaiting& while_waiting, const Holders& holders = {});

} // namespace finally_run::lock
