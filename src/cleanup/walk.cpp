#include "cleanup/walk.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace finally_run::cleanup {

namespace {

constexpr int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
constexpr int most_links = 40; // the kernel's own limit, path_resolution(7)

os::Fd start_of(int directory, std::string_view path) {
    return os::Fd(::openat(directory, path.starts_with('/') ? "/" : ".", flags));
}

// Takes the first name off, with the slashes and the dots around it; empty at the end.
std::string_view next_name(std::string_view& path) {
    for (;;) {
        path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
        const auto name = path.substr(0, path.find('/'));
        path.remove_prefix(name.size());
        if (name != ".") {
            return name;
        }
    }
}

} // namespace

std::deque<std::string> names_of(std::string_view path) {
    std::deque<std::string> names;
    for (auto name = next_name(path); !name.empty(); name = next_name(path)) {
        names.emplace_back(name);
    }
    return names;
}

PartialPath walk_to(int directory, std::string_view path) {
    PartialPath place{start_of(directory, path), {}};
    for (auto& name : names_of(path)) {
        os::Fd next(place.missing.empty() ? ::openat(place.existing.get(), name.c_str(), flags) : -1);
        if (next) {
            place.existing = std::move(next);
        } else {
            place.missing.push_back(std::move(name));
        }
    }
    return place;
}

std::string without_links(int directory, std::string_view path) {
    os::Fd at = start_of(directory, path);
    std::string resolved = path.starts_with('/') ? "/" : "";
    auto names = names_of(path);
    for (int links = 0; !names.empty();) {
        const std::string name = std::move(names.front());
        names.pop_front();
        std::array<char, PATH_MAX> target; // not filled: it is for few names and of few bytes
        const ssize_t length =
            at && !names.empty() ? ::readlinkat(at.get(), name.c_str(), target.data(), target.size()) : -1;
        if (length >= 0 && ++links <= most_links) {
            const std::string_view text(target.data(), static_cast<std::size_t>(length));
            const auto more = names_of(text);
            names.insert(names.begin(), more.begin(), more.end());
            if (text.starts_with('/')) {
                at = start_of(directory, text);
                resolved = "/";
            }
            continue;
        }
        resolved.append(resolved.empty() || resolved.ends_with('/') ? "" : "/").append(name);
        if (at && !names.empty()) {
            at = os::Fd(::openat(at.get(), name.c_str(), flags | O_NOFOLLOW));
        }
    }
    return resolved;
}

os::Fd open_without_links(int directory, std::string_view& path) {
    os::Fd at = start_of(directory, path);
    std::string_view rest = path;
    for (auto name = next_name(rest); at && !name.empty(); name = next_name(rest)) {
        const std::string text(name);
        os::Fd next(::openat(at.get(), text.c_str(), flags | O_NOFOLLOW));
        if (!next && errno == ENOTDIR) { // of a link with these flags, as of a file
            struct stat found = {};
            const bool link =
                ::fstatat(at.get(), text.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(found.st_mode);
            path.remove_suffix(rest.size());
            errno = link ? ELOOP : ENOTDIR;
        }
        at = std::move(next);
    }
    return at;
}

} // namespace finally_run::cleanup
