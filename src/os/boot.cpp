#include "os/boot.hpp"

#include "os/process.hpp"

#include <algorithm>
#include <ctime>
#include <sys/stat.h>

namespace finally_run::os {

std::string boot_id() {
    std::string id = read_proc_file("/proc/sys/kernel/random/boot_id");
    id.resize(std::min(id.find('\n'), id.size()));
    return id;
}

std::uint64_t pid_namespace() {
    struct stat info = {};
    return ::stat("/proc/self/ns/pid", &info) == 0 ? info.st_ino : 0;
}

std::uint64_t boot_nanoseconds() noexcept {
    timespec now = {};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    constexpr std::uint64_t second = 1'000'000'000;
    return static_cast<std::uint64_t>(now.tv_sec) * second + static_cast<std::uint64_t>(now.tv_nsec);
}

} // namespace finally_run::os
