// Paths, one name after the other: as far as they exist, and with the symbolic links of one moment and no other.
#pragma once

#include "os/fd.hpp"

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::cleanup {

// A path as far as it exists, links followed, and the rest of it as names.
struct PartialPath {
    os::Fd existing;
    std::vector<std::string> missing;
};

// Its names, without the slashes and the dots between them.
[[nodiscard]] std::deque<std::string> names_of(std::string_view path);

[[nodiscard]] PartialPath walk_to(int directory, std::string_view path);

// The same path without the symbolic links that are in it now, but for its last name. What is missing stays as it is.
[[nodiscard]] std::string without_links(int directory, std::string_view path);

// Opens it with O_PATH if no name in it is a symbolic link. Empty with errno: ELOOP for a link, whose name is then at
// the end of `path`.
[[nodiscard]] os::Fd open_without_links(int directory, std::string_view& path);

} // namespace finally_run::cleanup
