// Failed runs do not pile up: a newer one takes the place of an older one of the same kind.
#pragma once

#include "cleanup/stack.hpp"

namespace finally_run::rescue {

// For the end of a run that stays for its failed cleanups, with its journal still locked by us: older runs of the same
// command in the same directory are forgotten if the same cleanups of them have failed. Throws nothing: at worst they
// stay.
void supersede_older(cleanup::Stack& stack) noexcept;

} // namespace finally_run::rescue
