// Removes a file or a directory tree in-process, for --remove and --temp-dir.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace finally_run::cleanup {

// Directories that must stay, with what contains them; and of the state directory all that is in it. Paths; an empty
// one is none.
struct Kept {
    std::string_view home;
    std::string_view state_dir;
};

struct Care {
    // What belongs to another user than geteuid(2) stays where it is, or the kernel alone decides about it: below the
    // path, that is. The path itself is to be ours in any case.
    enum class Others { stay, go };
    Others others = Others::stay;
    // nullopt: all may go.
    std::optional<Kept> kept = Kept{};
    // The path comes from without_links(), so that a link before its last name is younger. Such a one is an error.
    bool no_links = false;
};

// Removes `path`, relative to `directory` (AT_FDCWD and O_PATH will do). nullopt: it is gone, or was never there.
// Otherwise what stands in the way first, as the reason of a message about `path`, foreign names raw: "is a mount
// point", or "a/b: belongs to another user (uid 7) (and 2 more)" for path/a/b.
//
// Symbolic links are removed and never followed, except in the part of `path` before its last component; trailing
// slashes do not count. What is or may be a mount point stays where it is; the rest is removed all the same. Own
// directories that are not readable, writable and searchable become so first (Go's module cache). Depth costs memory
// but neither stack nor descriptors: four are open at most. Ends also if somebody never stops putting new things
// there. Throws std::bad_alloc only.
[[nodiscard]] std::optional<std::string> remove_tree(int directory, std::string_view path, const Care& care = {});

// Why `path` must never be removed, for the check of a command line: it is empty, ends in "." or "..", or is the root
// directory, or is to be kept. nullopt: it may be. A symbolic link in the last place is a link and may be. A state
// directory that is not there yet counts too.
[[nodiscard]] std::optional<std::string> refuse_reason(int directory, std::string_view path, const Kept& kept);

// The same of an open directory, and of a file in one, at the moment of the removal. The paths to keep are relative to
// `directory`.
[[nodiscard]] std::optional<std::string> refuse_opened(int directory, int target, const Kept& kept);
[[nodiscard]] std::optional<std::string> refuse_file_in(int directory, int parent, const Kept& kept);

} // namespace finally_run::cleanup
