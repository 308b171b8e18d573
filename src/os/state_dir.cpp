#include "os/state_dir.hpp"

#include "os/error.hpp"
#include "os/variables.hpp"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace finally_run::os {

namespace {

constexpr mode_t private_mode = 0700;

// Set, not empty and absolute: the XDG base directory specification ignores relative paths.
const char* absolute_path_in(const char* name) {
    const std::string_view value = variable(name);
    return value.starts_with('/') ? value.data() : nullptr; // as getenv(3) has it: it ends with a NUL
}

void create_with_parents(const std::filesystem::path& path) {
    if (::mkdir(path.c_str(), private_mode) == 0 || errno == EEXIST) {
        return;
    }
    if (errno != ENOENT || !path.has_relative_path()) {
        throw_errno("state directory", path.native());
    }
    create_with_parents(path.parent_path());
    if (::mkdir(path.c_str(), private_mode) < 0 && errno != EEXIST) {
        throw_errno("state directory", path.native());
    }
}

} // namespace

std::filesystem::path state_dir_path(std::string_view option) {
    std::filesystem::path path;
    if (!option.empty()) {
        path = option;
    } else if (const auto own = variable("FINALLY_RUN_STATE_DIR"); !own.empty()) {
        path = own;
    } else if (const char* const state = absolute_path_in("XDG_STATE_HOME")) {
        path = std::filesystem::path(state) / "finally-run";
    } else if (const char* const home = absolute_path_in("HOME")) {
        path = std::filesystem::path(home) / ".local/state/finally-run";
    } else {
        path = "/var/tmp/finally-run-" + std::to_string(::geteuid());
    }
    path = path.is_absolute() ? path : std::filesystem::current_path() / path;
    path = path.lexically_normal();
    return path.has_filename() ? path : path.parent_path(); // open(2) follows a link with a slash behind it
}

Fd open_state_dir(const std::filesystem::path& path) {
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = ::open(path.c_str(), flags);
    if (fd < 0 && errno == ENOENT) {
        create_with_parents(path);
        ::chmod(path.c_str(), private_mode); // whatever the umask took away
        fd = ::open(path.c_str(), flags);
    }
    if (fd < 0) {
        if (errno == ELOOP) {
            throw_error(ENOTDIR, "state directory is a symbolic link", path.native());
        }
        throw_errno("state directory", path.native());
    }
    Fd directory = moved_high(Fd(fd));
    struct stat info = {};
    if (::fstat(directory.get(), &info) < 0) {
        throw_errno("state directory", path.native());
    }
    if (info.st_uid != ::geteuid()) {
        throw_error(EPERM, "state directory belongs to another user", path.native());
    }
    if ((info.st_mode & ALLPERMS) != private_mode) {
        throw_error(EPERM, "state directory must have mode 0700", path.native());
    }
    return directory;
}

} // namespace finally_run::os
