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
constexpr std::chrono::seconds patience(5); // with a FIFO whose reader has stopped reading
constexpr int most_links = 40;              // the kernel's own limit, path_resolution(7)
constexpr int most_names = 100;             // left behind by runs of the same pid that were killed

// Opening /dev/stderr anew would write at the start of a log file, and fails on a socket: such names mean the
// descriptor.
std::optional<int> descriptor_named(std::string_view path) {
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
    if (const int error = os::write_all(descriptor, text, patience); error != 0) {
        os::throw_error(error, operation, path);
    }
}

void write_directly(int directory, const std::string& path, std::string_view text) {
    const os::Fd file(openat(directory, path.c_str(), O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!file) {
        os::throw_errno(operation, path);
    }
    if (const int error = os::write_all(file.get(), text, patience); error != 0) {
        os::throw_error(error, operation, path);
    }
}

struct Target {
    os::Fd directory;
    std::string name;
};

Target target_in(int directory, const std::string& where, const std::string& path) {
    const auto slash = where.rfind('/');
    std::string parent = slash == std::string::npos ? "." : where.substr(0, slash + 1);
    Target target{os::Fd(openat(directory, parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)), where.substr(slash + 1)};
    if (!target.directory) {
        os::throw_errno(operation, path);
    }
    if (target.name.empty()) {
        os::throw_error(EISDIR, operation, path);
    }
    return target;
}

// rename(2) replaces a link, not what it leads to: so find the directory that has the file itself.
Target followed(int directory, const std::string& path) {
    Target target = target_in(directory, path, path);
    for (int links = 0; links < most_links; ++links) {
        std::array<char, PATH_MAX> link{};
        const ssize_t length = readlinkat(target.directory.get(), target.name.c_str(), link.data(), link.size());
        if (length < 0) {
            return target; // not a link, or not there yet
        }
        target = target_in(target.directory.get(), std::string(link.data(), static_cast<std::size_t>(length)), path);
    }
    os::throw_error(ELOOP, operation, path);
}

// A file beside the final one, which goes away again unless it has taken its name.
class NewFile {
public:
    NewFile(const Target& target, const std::string& path) : m_target(target), m_path(path) {
        for (int attempt = 0; !m_file && attempt < most_names; ++attempt) {
            m_name = fmt::format(".finally-run-report-{}-{}", getpid(), attempt);
            m_file = os::Fd(openat(m_target.directory.get(), m_name.c_str(),
                                   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
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

    void write(std::string_view text) {
        if (const int error = os::write_all(m_file.get(), text, patience); error != 0) {
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
    // Followed by the kernel first, which refuses a stranger's link in a sticky directory (fs.protected_symlinks).
    struct stat old {};
    if (fstatat(directory, path.c_str(), &old, 0) == 0) {
        if (S_ISDIR(old.st_mode)) {
            os::throw_error(EISDIR, operation, path);
        }
        if (!S_ISREG(old.st_mode)) {
            write_directly(directory, path, text);
            return;
        }
    } else if (errno != ENOENT) {
        os::throw_errno(operation, path);
    }
    const Target target = followed(directory, path);
    NewFile file(target, path);
    file.write(text);
    file.take_name();
}

} // namespace finally_run::report
