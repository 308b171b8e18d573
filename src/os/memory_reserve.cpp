#include "os/memory_reserve.hpp"

#include <cstddef>
#include <new>
#include <sys/mman.h>
#include <utility>

namespace finally_run::os {

namespace {

constexpr std::size_t reserve_size = std::size_t(1) << 20;

// A new-handler is given nothing: [new.handler].
void* reserve = MAP_FAILED;

void release() {
    std::set_new_handler(nullptr);
    ::munmap(std::exchange(reserve, MAP_FAILED), reserve_size);
}

} // namespace

void keep_memory_back() {
    if (reserve != MAP_FAILED) {
        return;
    }
    reserve = ::mmap(nullptr, reserve_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserve != MAP_FAILED) {
        std::set_new_handler(release);
    }
}

} // namespace finally_run::os
