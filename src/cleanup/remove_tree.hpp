// Removes a file or a directory tree in-process, for --remove and --temp-dir.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace finally_run::cleanup {

// Removes `path`, relative to `directory` (AT_FDCWD and O_PATH will do). nullopt: it is gone, or was never there.
// Otherwise what stands in the way first, as the reason of a message about `path`, foreign names raw: "is a mount
// point", or "a/b: belongs to another user (uid 7) (and 2 more)" for path/a/b.
//
// Symbolic links are removed and never followed, except in the part of `path` before its last component; trailing
// slashes do not count. What belongs to another user than geteuid(2), and mount points, stay where they are; the rest
// is removed all the same. Own directories that are not readable, writable and searchable become so first (Go's module
// cache). Depth costs memory but neither stack nor descriptors: three are open at most. Throws std::bad_alloc only.
[[nodiscard]] std::optional<std::string> remove_tree(int directory, std::string_view path);

// Why `path` must never be removed, for the check of a command line: it is empty, ends in "." or "..", or is the root
// directory, the home directory or the state directory, or contains one of these. nullopt: it may be. A symbolic link
// in the last place is a link and may be. A state directory that is not there yet counts too. An empty `home` is none.
[[nodiscard]] std::optional<std::string> refuse_reason(int directory, std::string_view path, std::string_view home,
                                                       std::string_view state_dir);

} // namespace finally_run::cleanup
