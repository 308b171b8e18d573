// What --remove refuses.
#include "cleanup/remove_tree.hpp"
#include "cleanup/walk.hpp"
#include "os/fd.hpp"

#include <algorithm>
#include <climits>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <utility>

namespace finally_run::cleanup {

namespace {

using Identity = std::pair<dev_t, ino_t>;

Identity identity_of(int directory) {
    struct stat found = {};
    return fstat(directory, &found) == 0 ? Identity(found.st_dev, found.st_ino) : Identity();
}

// Is `inner` at or below the directory `outer`?
bool contains(const Identity& outer, int inner) {
    Identity here = identity_of(inner);
    os::Fd above;
    for (int at = inner;;) {
        if (here == outer) {
            return true;
        }
        os::Fd next(openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
        const Identity up = next ? identity_of(next.get()) : here;
        if (up == here) {
            return false; // the root directory is its own parent
        }
        here = up;
        above = std::move(next);
        at = above.get();
    }
}

bool contains(const PartialPath& outer, const PartialPath& inner) {
    if (outer.missing.empty()) {
        return contains(identity_of(outer.existing.get()), inner.existing.get());
    }
    return identity_of(outer.existing.get()) == identity_of(inner.existing.get()) &&
           std::ranges::mismatch(outer.missing, inner.missing).in1 == outer.missing.end();
}

// Why `target` must stay, which is a directory or nothing yet.
std::optional<std::string> clash(int directory, const PartialPath& target, const Kept& kept) {
    for (const auto& [path, word] :
         {std::pair(std::string_view("/"), "root"), std::pair(kept.home, "home"), std::pair(kept.state_dir, "state")}) {
        if (path.empty()) {
            continue;
        }
        const PartialPath precious = walk_to(directory, path);
        if (contains(target, precious)) {
            return fmt::format("{} the {} directory", contains(precious, target) ? "is" : "contains", word);
        }
        if (path == kept.state_dir && contains(precious, target)) {
            return "lies in the state directory";
        }
    }
    return std::nullopt;
}

bool has_long_name(std::string_view path) {
    return std::ranges::any_of(names_of(path), [](const std::string& name) { return name.size() > NAME_MAX; });
}

} // namespace

std::optional<std::string> refuse_reason(int directory, std::string_view path, const Kept& kept) {
    if (path.empty()) {
        return "is empty";
    }
    while (path.size() > 1 && path.ends_with('/')) {
        path.remove_suffix(1);
    }
    if (path == "/") {
        return "is the root directory";
    }
    const auto last = path.substr(path.rfind('/') + 1);
    if (last == "." || last == "..") {
        return fmt::format("ends in \"{}\"", last);
    }
    if (has_long_name(path)) { // no file has it, so it is not meant
        return fmt::format("has a name of more than {} bytes", NAME_MAX);
    }
    struct stat found = {};
    if (fstatat(directory, std::string(path).c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(found.st_mode)) {
        const std::string parent(path.substr(0, path.size() - last.size()));
        const os::Fd above(openat(directory, parent.empty() ? "." : parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        return refuse_file_in(directory, above.get(), kept);
    }
    return clash(directory, walk_to(directory, path), kept);
}

std::optional<std::string> refuse_opened(int directory, int target, const Kept& kept) {
    return clash(directory, walk_to(target, "."), kept);
}

std::optional<std::string> refuse_file_in(int directory, int parent, const Kept& kept) {
    if (!kept.state_dir.empty() && contains(walk_to(directory, kept.state_dir), walk_to(parent, "."))) {
        return "lies in the state directory";
    }
    return std::nullopt;
}

} // namespace finally_run::cleanup
