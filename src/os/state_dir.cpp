#include "os/state_dir.hpp"

#include "os/error.hpp"
#include "os/variables.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <linux/magic.h>
#include <string>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <system_error>
#include <unistd.h>

namespace finally_run::os {

namespace {

constexpr mode_t private_mode = 0700;

constexpr const char* what = "state directory (--state-dir, FINALLY_RUN_STATE_DIR)";

// Set, not empty and absolute: the XDG base directory specification ignores relative paths. Whoever has fewer rights
// than we have does not choose where we make a directory.
std::filesystem::path absolute_path_in(const char* name) {
    const char* const value = ::secure_getenv(name);
    return value != nullptr && *value == '/' ? value : "";
}

// Nobody may come between mkdir(2) and the first look with a mode that the umask took away from.
class NoMask {
public:
    NoMask() = default;
    NoMask(const NoMask&) = delete;
    NoMask& operator=(const NoMask&) = delete;
    ~NoMask() { ::umask(m_before); }

private:
    mode_t m_before = ::umask(0);
};

void create_with_parents(const std::filesystem::path& path) {
    if (::mkdir(path.c_str(), private_mode) == 0 || errno == EEXIST) {
        return;
    }
    if (errno != ENOENT || !path.has_relative_path()) {
        throw_errno(what, path.native());
    }
    create_with_parents(path.parent_path());
    if (::mkdir(path.c_str(), private_mode) < 0 && errno != EEXIST) {
        throw_errno(what, path.native());
    }
}

bool lasts(int error) {
    return error == EACCES || error == EPERM || error == EROFS || error == ENOENT || error == ENOTDIR || error == ELOOP;
}

bool can_be_written(const char* path) {
    constexpr int wanted = W_OK | X_OK;
    return (::geteuid() == ::getuid() ? ::access(path, wanted) : ::faccessat(AT_FDCWD, path, wanted, AT_EACCESS)) == 0;
}

// There access(2) lets root write, but nobody can make a directory.
bool is_of_kernel(const char* path) {
    struct statfs info = {};
    return ::statfs(path, &info) == 0 && (info.f_type == PROC_SUPER_MAGIC || info.f_type == SYSFS_MAGIC);
}

// Whether the directory is there, or can be made. False only for a reason that will be the same for every run: a lock
// of one name must never be in two places. What is wrong otherwise is said when it is opened.
bool can_be_had(const std::filesystem::path& path) {
    struct stat info = {};
    if (::lstat(path.c_str(), &info) == 0) {
        return info.st_uid == ::geteuid() && (!S_ISDIR(info.st_mode) || can_be_written(path.c_str()) || !lasts(errno));
    }
    if (errno != ENOENT) {
        return !lasts(errno);
    }
    std::filesystem::path parent = path.parent_path();
    while (::stat(parent.c_str(), &info) < 0) {
        if (errno != ENOENT || !parent.has_relative_path()) {
            return !lasts(errno);
        }
        parent = parent.parent_path();
    }
    return S_ISDIR(info.st_mode) && !is_of_kernel(parent.c_str()) && (can_be_written(parent.c_str()) || !lasts(errno));
}

// Nothing of ours in what is another's: root with a user's HOME (sudo -E) would leave there what the user cannot use.
bool is_own(const std::filesystem::path& path) {
    struct stat info = {};
    return !path.empty() && ::stat(path.c_str(), &info) == 0 && info.st_uid == ::geteuid();
}

bool is_strangers(const std::filesystem::path& path) {
    struct stat info = {};
    return ::stat(path.c_str(), &info) == 0 && info.st_uid != ::geteuid() && info.st_uid != 0;
}

// The first that can be had; else the first of all, so that it is said what is wrong with it.
StateDir default_place() {
    const std::string own_name = "finally-run-" + std::to_string(::geteuid());
    std::filesystem::path first;
    const auto is_it = [&](std::filesystem::path path) {
        const bool had = can_be_had(path);
        first = had || first.empty() ? std::move(path) : first;
        return had;
    };
    if (const auto state = absolute_path_in("XDG_STATE_HOME");
        !state.empty() && !is_strangers(state) && is_it(state / "finally-run")) {
        return {first, true};
    }
    if (const auto home = absolute_path_in("HOME"); is_own(home) && is_it(home / ".local/state/finally-run")) {
        return {first, true};
    }
    if (is_it("/var/tmp/" + own_name)) {
        return {first, true};
    }
    if (const auto runtime = absolute_path_in("XDG_RUNTIME_DIR"); is_own(runtime) && is_it(runtime / "finally-run")) {
        return {first, true};
    }
    const bool had = is_it("/dev/shm/" + own_name);
    return {first, had};
}

} // namespace

StateDir find_state_dir(std::string_view option) {
    StateDir found;
    std::filesystem::path& path = found.path;
    if (!option.empty()) {
        path = option;
    } else if (const auto own = variable("FINALLY_RUN_STATE_DIR"); !own.empty()) {
        path = own;
    } else {
        found = default_place();
    }
    path = path.is_absolute() ? path : std::filesystem::current_path() / path;
    path = path.lexically_normal();
    path = path.has_filename() ? path : path.parent_path(); // open(2) follows a link with a slash behind it
    return found;
}

std::filesystem::path state_dir_path(std::string_view option) { return find_state_dir(option).path; }

Fd open_state_dir(const std::filesystem::path& path) {
    constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const std::string name(what);
    int fd = ::open(path.c_str(), flags);
    bool made = false;
    if (fd < 0 && errno == ENOENT) {
        const NoMask no_mask;
        create_with_parents(path);
        made = true;
        fd = ::open(path.c_str(), flags);
    }
    if (fd < 0) {
        if (errno == ELOOP) {
            throw_error(ENOTDIR, name + " is a symbolic link", path.native());
        }
        throw_errno(name, path.native());
    }
    Fd directory = moved_high(Fd(fd));
    struct stat info = {};
    if (::fstat(directory.get(), &info) < 0) {
        throw_errno(name, path.native());
    }
    if (info.st_uid != ::geteuid()) {
        throw_error(EPERM, name + " belongs to another user", path.native());
    }
    // A directory below one with the setgid bit has it too.
    const auto is_private = [&] { return (info.st_mode & ALLPERMS & ~mode_t{S_ISGID}) == private_mode; };
    // Whatever an ACL of its parent has made of it. By the descriptor: the name may be another's by now.
    if (made && !is_private()) {
        if (::fchmod(directory.get(), private_mode) < 0 || ::fstat(directory.get(), &info) < 0) {
            throw_errno(name, path.native());
        }
    }
    if (!is_private()) {
        throw_error(EPERM, name + " must have mode 0700", path.native());
    }
    return directory;
}

} // namespace finally_run::os
