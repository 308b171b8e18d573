#include "supervise/deliveries.hpp"

namespace finally_run::supervise {

namespace {

// Who tells the leaves of a tree first may take its time for it; long after that it is another signal.
constexpr auto kept = std::chrono::seconds(1);
constexpr auto right_behind = std::chrono::milliseconds(100);

} // namespace

std::chrono::milliseconds patience(SenderState sender) {
    switch (sender) {
    case SenderState::gone:
        return std::chrono::milliseconds(0);
    case SenderState::idle:
        return std::chrono::milliseconds(10);
    case SenderState::busy:
        break;
    }
    return std::chrono::milliseconds(100);
}

void Deliveries::forget_old(os::Clock::time_point now) {
    std::erase_if(m_deliveries, [&](const Known& known) {
        return known.delivery.when + kept < now || (known.claimed && *known.claimed + right_behind < now);
    });
}

void Deliveries::add(const Delivery& delivery) {
    forget_old(delivery.when);
    m_deliveries.push_back({delivery});
}

bool Deliveries::claim(const os::Signal& signal, os::Clock::time_point now) {
    forget_old(now);
    const auto same = [&](const os::Signal& other) {
        return other.number == signal.number && other.sender == signal.sender &&
               other.from_kernel == signal.from_kernel;
    };
    Known* found = nullptr;
    for (Known& known : m_deliveries) {
        // One that is still to answer goes first, so that two killpg in a row are two.
        if (same(known.delivery.signal) && (found == nullptr || (found->claimed && !known.claimed))) {
            found = &known;
        }
    }
    if (found == nullptr) {
        return false;
    }
    if (!found->claimed) {
        found->claimed = now;
    }
    return true;
}

} // namespace finally_run::supervise
