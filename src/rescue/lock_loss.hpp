// What becomes known of a lost lock.
#pragma once

#include "cleanup/stack.hpp"
#include "plan/lock_loss.hpp"
#include "report/narrator.hpp"

#include <optional>

namespace finally_run::rescue {

// The first time it is said, and written down if there still is a journal. `sent`: the stop signal, to a step.
void note_loss(const plan::LockLoss& loss, cleanup::Stack& stack, report::Narrator& narrator,
               std::optional<bool> sent = {});

} // namespace finally_run::rescue
