// Random bits of the kernel.
#pragma once

#include <cstdint>
#include <string>

namespace finally_run::os {

// getrandom(2), without waiting: early at boot, when it has none yet, the clock has to do.
[[nodiscard]] std::uint64_t random_number();

// Sixteen characters that nobody can guess.
[[nodiscard]] std::string random_name();

} // namespace finally_run::os
