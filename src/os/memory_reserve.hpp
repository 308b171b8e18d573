// Memory that is kept back for the moment when there is no more.
#pragma once

namespace finally_run::os {

// From here on, also in what is forked then, the first failure of operator new releases it, and that allocation is
// tried again. A page that nobody writes to costs nothing.
void keep_memory_back();

} // namespace finally_run::os
