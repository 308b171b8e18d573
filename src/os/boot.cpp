#include "os/boot.hpp"

#include "os/error.hpp"
#include "os/fd.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <ctime>
#include <fcntl.h>
#include <string_view>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace finally_run::os {

namespace {

void throw_unless_missing(const char* path) {
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
        throw_errno(path);
    }
}

// Of a file with one line, that line: one read(2) has it all. Empty if there is no such file.
std::string only_line(const char* path) {
    std::array<char, 64> buffer{};
    const Fd fd(::open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC));
    const ssize_t got = fd ? ::read(fd.get(), buffer.data(), buffer.size()) : -1;
    if (got < 0) {
        throw_unless_missing(path);
        return {};
    }
    const std::string_view text(buffer.data(), static_cast<std::size_t>(got));
    return std::string(text.substr(0, text.find('\n')));
}

std::uint64_t inode_of(const char* path) {
    struct stat info = {};
    if (::stat(path, &info) < 0) {
        throw_unless_missing(path);
        return 0;
    }
    return info.st_ino;
}

} // namespace

std::string boot_id() { return only_line("/proc/sys/kernel/random/boot_id"); }

std::uint64_t pid_namespace() { return inode_of("/proc/self/ns/pid"); }

std::uint64_t time_namespace() { return inode_of("/proc/self/ns/time"); }

std::string machine_id() {
    constexpr std::size_t length = 32;
    std::string id = only_line("/etc/machine-id");
    const bool well = id.size() == length && id.find_first_not_of("0123456789abcdef") == std::string::npos;
    return well ? id : std::string(); // "uninitialized" until the first boot is done
}

std::string host_name() {
    utsname names = {};
    return ::uname(&names) == 0 ? names.nodename : "";
}

std::uint64_t boot_nanoseconds() noexcept {
    timespec now = {};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    constexpr std::uint64_t second = 1'000'000'000;
    return static_cast<std::uint64_t>(now.tv_sec) * second + static_cast<std::uint64_t>(now.tv_nsec);
}

} // namespace finally_run::os
