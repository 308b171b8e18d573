#include "cleanup/stack.hpp"

#include <algorithm>
#include <utility>

namespace finally_run::cleanup {

void MemoryStack::push(Cleanup cleanup) {
    cleanup.id = m_next_id++;
    m_cleanups.push_back(std::move(cleanup));
}

std::optional<Cleanup> MemoryStack::top() const {
    return m_cleanups.empty() ? std::nullopt : std::optional(m_cleanups.back());
}

void MemoryStack::finished(const Cleanup& cleanup, const Outcome& /*outcome*/) {
    // Nearly always the last one; another may have been pushed while it ran.
    const auto at = std::find_if(m_cleanups.rbegin(), m_cleanups.rend(),
                                 [&](const Cleanup& other) { return other.id == cleanup.id; });
    if (at != m_cleanups.rend()) {
        m_cleanups.erase(std::next(at).base());
    }
}

} // namespace finally_run::cleanup
