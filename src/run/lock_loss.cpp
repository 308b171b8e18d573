#include "run/lock_loss.hpp"

#include "rescue/lock_loss.hpp"

namespace finally_run::run {

bool has_lost_lock(const Parts& run, std::optional<bool> sent) {
    if (run.keeper == nullptr || !run.keeper->loss()) {
        return false;
    }
    rescue::note_loss(*run.keeper->loss(), run.stack, run.narrator, sent);
    return true;
}

} // namespace finally_run::run
