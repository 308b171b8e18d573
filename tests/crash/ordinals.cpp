// Who is in which call.
#include "ordinals.hpp"

namespace finally_run::crash {

// Nobody has seen the entry of a call that was waiting when the counting began.
unsigned Ordinals::of(const Point& point) {
    if (point.entry || !m_entered.contains(point.pid)) {
        m_entered[point.pid] = m_next[point.call]++;
    }
    const unsigned ordinal = m_entered[point.pid];
    if (!point.entry) {
        m_entered.erase(point.pid);
    }
    return ordinal;
}

} // namespace finally_run::crash
