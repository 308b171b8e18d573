#include "rescue/lock_loss.hpp"

#include <chrono>

namespace finally_run::rescue {

void note_loss(const plan::LockLoss& loss, cleanup::Stack& stack, report::Narrator& narrator,
               std::optional<bool> sent) {
    // First, so that whoever takes over does not tell again what has been told.
    if (const journal::State& state = stack.read_state(); !state.over && !state.has_lost_lock()) {
        const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
        for (const std::string& name : loss.names) {
            stack.record(journal::LockLost{name, loss.reason, now});
        }
    }
    narrator.lock_lost(loss, sent);
}

} // namespace finally_run::rescue
