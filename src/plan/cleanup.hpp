// One registered cleanup.
#pragma once

#include "plan/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace finally_run::plan {

// A directory that can be recognised later: another one at the same path is not it. The inode alone does not tell
// (tmpfs counts from 1 at each mount), hence the time of birth (statx(2)) where the file system knows it.
struct Place {
    std::string path; // absolute
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t born = 0; // nanoseconds since the epoch; 0: not known

    bool operator==(const Place&) const = default;
};

struct Cleanup {
    enum class Kind { command, on_success, on_failure, remove, temp_dir, service };
    Kind kind;
    std::string text;                // CMD, or the PATH to remove; service: CMD, whose stop it is
    std::string variable = {};       // temp_dir: the variable that has the path as its value
    std::optional<Place> place = {}; // where it runs, if not in the run's own directory (--defer)
    std::string resolved = {}; // remove: PATH without the symbolic links that were in it at the start, but for the last
    std::uint64_t id = 0;      // given by the stack

    bool operator==(const Cleanup&) const = default;
};

// The option that registers it, without its dashes: "cleanup", "on-success", ...
[[nodiscard]] std::string_view name_of(Cleanup::Kind kind);

// Whether it runs after a command that ended so.
[[nodiscard]] bool applies(Cleanup::Kind kind, Result result);

} // namespace finally_run::plan
