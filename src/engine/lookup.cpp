#include "engine/lookup.hpp"

#include "os/variables.hpp"

#include <set>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace finally_run::engine {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view prefix = "finally-run-lock-";

bool is_program(const fs::path& path) {
    struct stat info = {};
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

} // namespace

std::vector<fs::path> directories(const fs::path& program, std::string_view path) {
    std::vector<fs::path> found;
    if (!program.empty()) {
        const fs::path beside = program.parent_path();
        found.push_back(beside);
        found.push_back(beside.parent_path() / "libexec" / "finally-run");
    }
    while (!path.empty()) {
        const auto colon = path.find(':');
        const auto directory = path.substr(0, colon);
        found.emplace_back(directory.empty() ? "." : directory);
        path.remove_prefix(colon == path.npos ? path.size() : colon + 1);
    }
    return found;
}

std::vector<fs::path> directories() {
    std::error_code unknown; // without /proc
    const auto program = fs::read_symlink("/proc/self/exe", unknown);
    return directories(unknown ? fs::path() : program, os::variable("PATH"));
}

std::optional<fs::path> find_helper(std::string_view engine, const std::vector<fs::path>& where) {
    const std::string name = std::string(prefix).append(engine);
    for (const fs::path& directory : where) {
        if (const fs::path path = directory / name; is_program(path)) {
            return path;
        }
    }
    return std::nullopt;
}

std::vector<std::string> engines(const std::vector<fs::path>& where) {
    std::set<std::string> found;
    for (const fs::path& directory : where) {
        std::error_code unreadable;
        for (auto entry = fs::directory_iterator(directory, unreadable); !unreadable && entry != fs::end(entry);
             entry.increment(unreadable)) {
            const std::string name = entry->path().filename().native();
            if (name.starts_with(prefix) && name.size() > prefix.size() && is_program(entry->path())) {
                found.insert(name.substr(prefix.size()));
            }
        }
    }
    return {found.begin(), found.end()};
}

} // namespace finally_run::engine
