// Reaps whoever is given to the tests, as an init does: a guardian waits for that to learn how a cleanup has ended.
#pragma once

#include <sys/types.h>

namespace finally_run::e2e {

// Started by the tests themselves, and left for them to reap.
void add_own_child(pid_t pid);
void remove_own_child(pid_t pid);

// Readable when a child has ended: then call reap_adopted().
[[nodiscard]] int end_of_children();

// Reaps all that have ended and that nobody waits for. Costs one system call if none has ended since the last time.
void reap_adopted();

} // namespace finally_run::e2e
