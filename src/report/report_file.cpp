#include "report/report_file.hpp"

#include "os/error.hpp"
#include "os/fd.hpp"
#include "os/write_all.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <fcntl.h>
#include <fmt/core.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

namespace finally_run::report {

namespace {

constexpr std::string_view operation = "cannot write report";
constexpr std::chrono::seconds fifo_patience(5); // with a FIFO whose reader has stopped reading
constexpr mode_t default_mode = 0666;            // less the umask
constexpr int most_names = 100;                  // left behind by runs of the same pid that were killed

// Opening /dev/stderr anew would write at the start of a log file, and fails on a socket: such names mean the
// descriptor.
std::optional<int> descriptor_named(std::string_view path) {
    if (path == "/dev/stdin") {
        return STDIN_FILENO;
    }
    if (path == "/dev/stdout") {
        return STDOUT_FILENO;
    }
    if (path == "/dev/stderr") {
        return STDERR_FILENO;
    }
    for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
        if (path.starts_with(folder)) {
            int number = -1;
            const char* end = path.data() + path.size();
            const auto [stop, error] = std::from_chars(path.data() + folder.size(), end, number);
            if (error == std::errc() && stop == end && number >= 0) {
                return number;
            }
        }
    }
    return std::nullopt;
}

void write_to_descriptor(int descriptor, const std::string& path, std::string_view text) {
    // What finally-run was given has survived an exec; what it opened itself, a lock say, is close-on-exec and not the
    // user's.
    const int flags = fcntl(descriptor, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC) != 0) {
        os::throw_error(EBADF, operation, path);
    }
    if (const int error = os::write_all(descriptor, text, fifo_patience); error != 0) {
        os::throw_error(error, operation, path);
    }
}

// The directory is opened once, and a name in it is never followed: path and directory may be in others' hands.
struct Target {
    os::Fd directory;
    std::string name;
};

Target target_of(int directory, const std::string& path) {
    const auto slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    Target target{os::Fd(openat(directory, parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)), path.substr(slash + 1)};
    if (!target.directory) {
        os::throw_errno(operation, path);
    }
    if (target.name.empty()) {
        os::throw_error(EISDIR, operation, path);
    }
    return target;
}

void write_directly(const Target& target, const std::string& path, std::string_view text) {
    const os::Fd file(openat(target.directory.get(), target.name.c_str(),
                             O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC));
    struct stat found = {};
    if (!file || fstat(file.get(), &found) != 0) {
        os::throw_errno(operation, path);
    }
    if (S_ISREG(found.st_mode)) { // put there meanwhile
        os::throw_error(EEXIST, operation, path);
    }
    if (const int error = os::write_all(file.get(), text, fifo_patience); error != 0) {
        os::throw_error(error, operation, path);
    }
}

// A file beside the final one, which goes away again unless it has taken its name.
class NewFile {
public:
    NewFile(const Target& target, const std::string& path, mode_t mode) : m_target(target), m_path(path) {
        for (int attempt = 0; !m_file && attempt < most_names; ++attempt) {
            m_name = fmt::format(".finally-run-report-{}-{}", getpid(), attempt);
            m_file = os::Fd(openat(m_target.directory.get(), m_name.c_str(),
                                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
            if (!m_file && errno != EEXIST) {
                break;
            }
        }
        if (!m_file) {
            os::throw_errno(operation, m_path);
        }
    }
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    ~NewFile() {
        if (!m_name.empty()) {
            unlinkat(m_target.directory.get(), m_name.c_str(), 0);
        }
    }

    void set_mode(mode_t mode) {
        if (fchmod(m_file.get(), mode) != 0) {
            os::throw_errno(operation, m_path);
        }
    }

    void write(std::string_view text) {
        if (const int error = os::write_all(m_file.get(), text, fifo_patience); error != 0) {
            os::throw_error(error, operation, m_path);
        }
        // NFS tells of a full disk only at close(2), of any descriptor of the file.
        const int duplicate = fcntl(m_file.get(), F_DUPFD_CLOEXEC, 0);
        if (duplicate < 0 || close(duplicate) != 0) {
            os::throw_errno(operation, m_path);
        }
    }

    void take_name() {
        if (renameat(m_target.directory.get(), m_name.c_str(), m_target.directory.get(), m_target.name.c_str()) != 0) {
            os::throw_errno(operation, m_path);
        }
        m_name.clear();
    }

private:
    const Target& m_target;
    const std::string& m_path;
    std::string m_name;
    os::Fd m_file;
};

} // namespace

void write_atomically(int directory, const std::string& path, std::string_view text) {
    if (const auto descriptor = descriptor_named(path)) {
        write_to_descriptor(*descriptor, path, text);
        return;
    }
    const Target target = target_of(directory, path);
    struct stat old = {};
    const bool there = fstatat(target.directory.get(), target.name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there && errno != ENOENT) {
        os::throw_errno(operation, path);
    }
    struct stat led_to = {};
    const bool to_directory = there && S_ISLNK(old.st_mode) &&
                              fstatat(target.directory.get(), target.name.c_str(), &led_to, 0) == 0 &&
                              S_ISDIR(led_to.st_mode);
    if (to_directory || (there && S_ISDIR(old.st_mode))) {
        os::throw_error(EISDIR, operation, path);
    }
    if (there && !S_ISREG(old.st_mode) && !S_ISLNK(old.st_mode)) {
        write_directly(target, path, text);
        return;
    }
    NewFile file(target, path, there && S_ISREG(old.st_mode) ? old.st_mode & default_mode : default_mode);
    file.write(text);
    if (there && S_ISREG(old.st_mode) && old.st_uid == geteuid()) {
        file.set_mode(old.st_mode & ACCESSPERMS); // also what the umask has taken away
    }
    file.take_name();
}

} // namespace finally_run::report
