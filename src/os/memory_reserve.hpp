// Memory that a run will need: whether it may be had, and some that is kept back for the moment when there is no more.
#pragma once

#include <cstddef>

namespace finally_run::os {

// From here on, also in what is forked then, the first failure of operator new releases it, and that allocation is
// tried again. A page that nobody writes to costs nothing. Of `least` bytes there may be more; false: not even these
// could be had (RLIMIT_AS of setrlimit(2)), and what had been kept back before still is.
[[nodiscard]] bool keep_memory_back(std::size_t least);

// Throws std::system_error if the stack may not grow as far as a run needs it (RLIMIT_STACK): it would end by SIGSEGV
// in the midst of it, and so would its guardian.
void require_stack();

} // namespace finally_run::os
