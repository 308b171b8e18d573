#include "os/boot.hpp"

#include "os/error.hpp"
#include "os/process.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <sys/stat.h>

namespace finally_run::os {

namespace {

void throw_unless_missing(const char* path) {
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
        throw_errno(path);
    }
}

} // namespace

std::string boot_id() {
    constexpr const char* path = "/proc/sys/kernel/random/boot_id";
    errno = 0;
    std::string id = read_proc_file(path);
    if (id.empty()) {
        throw_unless_missing(path);
    }
    id.resize(std::min(id.find('\n'), id.size()));
    return id;
}

std::uint64_t pid_namespace() {
    constexpr const char* path = "/proc/self/ns/pid";
    struct stat info = {};
    if (::stat(path, &info) < 0) {
        throw_unless_missing(path);
        return 0;
    }
    return info.st_ino;
}

std::uint64_t boot_nanoseconds() noexcept {
    timespec now = {};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    constexpr std::uint64_t second = 1'000'000'000;
    return static_cast<std::uint64_t>(now.tv_sec) * second + static_cast<std::uint64_t>(now.tv_nsec);
}

} // namespace finally_run::os
