#include "run/lock_loss.hpp"

#include <chrono>

namespace finally_run::run {

bool has_lost_lock(const Parts& run, std::optional<bool> sent) {
    if (run.keeper == nullptr || !run.keeper->loss()) {
        return false;
    }
    const engine::Loss& loss = *run.keeper->loss();
    if (run.narrator.lock_lost(loss, sent) && !run.stack.read_state().over) {
        const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
        run.stack.record(journal::LockLost{loss.name, loss.reason, now});
    }
    return true;
}

} // namespace finally_run::run
