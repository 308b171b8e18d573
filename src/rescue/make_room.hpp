// What stays of runs does not pile up: a newer failed one takes the place of an older one of the same kind.
#pragma once

#include "cleanup/stack.hpp"

namespace finally_run::rescue {

// For the end of a run, with its journal still locked by us. If it stays for its failed cleanups, older runs of the
// same command in the same directory are forgotten if the same cleanups of them have failed. If it is remembered, those
// that are too old or too many are forgotten. Throws nothing: at worst they stay.
void make_room(cleanup::Stack& stack) noexcept;

} // namespace finally_run::rescue
