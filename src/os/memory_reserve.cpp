#include "os/memory_reserve.hpp"

#include "os/error.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <new>
#include <sys/mman.h>
#include <sys/resource.h>
#include <utility>

namespace finally_run::os {

namespace {

constexpr std::size_t wanted_size = std::size_t(1) << 20;

// A new-handler is given nothing: [new.handler].
void* reserve = MAP_FAILED;
std::size_t reserve_size = 0;

void release() {
    std::set_new_handler(nullptr);
    ::munmap(std::exchange(reserve, MAP_FAILED), std::exchange(reserve_size, 0));
}

} // namespace

bool keep_memory_back(std::size_t least) {
    for (const std::size_t size : {std::max(least, wanted_size), least}) {
        if (reserve_size >= size) {
            return true;
        }
        void* const mapped =
            ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (mapped != MAP_FAILED) {
            if (reserve != MAP_FAILED) {
                release();
            }
            reserve = mapped;
            reserve_size = size;
            std::set_new_handler(release);
            return true;
        }
    }
    return false;
}

void require_stack() {
    constexpr rlim_t least = rlim_t(128) << 10; // twice of what was seen to do, with a small environment
    rlimit limit = {};
    if (::getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < least) {
        throw_error(ENOMEM, "cannot run with a stack of less than 128 KiB (ulimit -s)");
    }
}

} // namespace finally_run::os
