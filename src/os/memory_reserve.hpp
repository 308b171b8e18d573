// Memory that is kept back for the moment when there is no more.
#pragma once

#include <cstddef>

namespace finally_run::os {

// From here on, also in what is forked then, the first failure of operator new releases it, and that allocation is
// tried again. A page that nobody writes to costs nothing. Of `least` bytes there may be more; false: not even these
// could be had (RLIMIT_AS of setrlimit(2)), and what had been kept back before still is.
[[nodiscard]] bool keep_memory_back(std::size_t least);

} // namespace finally_run::os
