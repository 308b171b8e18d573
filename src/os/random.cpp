#include "os/random.hpp"

#include <ctime>
#include <fmt/core.h>
#include <sys/random.h>

namespace finally_run::os {

std::uint64_t random_number() {
    std::uint64_t random = 0;
    if (::getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random) {
        timespec now = {};
        ::clock_gettime(CLOCK_MONOTONIC, &now); // early at boot: better than nothing
        random = static_cast<std::uint64_t>(now.tv_nsec);
    }
    return random;
}

std::string random_name() { return fmt::format("{:016x}", random_number()); }

} // namespace finally_run::os
