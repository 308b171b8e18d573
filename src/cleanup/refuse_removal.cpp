// The paths that --remove refuses.
#include "cleanup/remove_tree.hpp"
#include "os/fd.hpp"

#include <algorithm>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace finally_run::cleanup {

namespace {

using Identity = std::pair<dev_t, ino_t>;

// A path as far as it exists, links followed, and the rest of it as names.
struct PartialPath {
    os::Fd existing;
    std::vector<std::string> missing;
};

std::vector<std::string> components(std::string_view path) {
    std::vector<std::string> result;
    while (!path.empty()) {
        const auto end = std::min(path.find('/'), path.size());
        if (end > 0 && path.substr(0, end) != ".") {
            result.emplace_back(path.substr(0, end));
        }
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    return result;
}

PartialPath walk_to(int directory, std::string_view path) {
    constexpr int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    PartialPath place{os::Fd(openat(directory, path.starts_with('/') ? "/" : ".", flags)), {}};
    for (auto& name : components(path)) {
        os::Fd next(place.missing.empty() ? openat(place.existing.get(), name.c_str(), flags) : -1);
        if (next) {
            place.existing = std::move(next);
        } else {
            place.missing.push_back(std::move(name));
        }
    }
    return place;
}

Identity identity_of(int directory) {
    struct stat found {};
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

std::optional<std::string> clash(const PartialPath& target, const PartialPath& precious, std::string_view word) {
    const Identity outer = identity_of(target.existing.get());
    const Identity inner = identity_of(precious.existing.get());
    bool same = outer == inner;
    if (target.missing.empty()) {
        same = same && precious.missing.empty();
        if (!same && !contains(outer, precious.existing.get())) {
            return std::nullopt;
        }
    } else {
        const auto [at, end] = std::ranges::mismatch(target.missing, precious.missing);
        if (!same || at != target.missing.end()) {
            return std::nullopt;
        }
        same = end == precious.missing.end();
    }
    return fmt::format("{} the {} directory", same ? "is" : "contains", word);
}

} // namespace

std::optional<std::string> refuse_reason(int directory, std::string_view path, std::string_view home,
                                         std::string_view state_dir) {
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
    struct stat found {};
    if (fstatat(directory, std::string(path).c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(found.st_mode)) {
        return std::nullopt;
    }
    const PartialPath target = walk_to(directory, path);
    for (const auto& [precious, word] :
         {std::pair(std::string_view("/"), "root"), std::pair(home, "home"), std::pair(state_dir, "state")}) {
        if (!precious.empty()) {
            if (auto reason = clash(target, walk_to(directory, precious), word)) {
                return reason;
            }
        }
    }
    return std::nullopt;
}

} // namespace finally_run::cleanup
