#include "os/clock.hpp"

#include <algorithm>
#include <limits>

namespace finally_run::os {

Deadline deadline_after(text::Limit limit) {
    if (!limit) {
        return std::nullopt;
    }
    const auto now = Clock::now();
    if (*limit > Clock::time_point::max() - now) {
        return std::nullopt;
    }
    return now + *limit;
}

Deadline earliest(std::initializer_list<Deadline> deadlines) {
    Deadline first;
    for (const Deadline& deadline : deadlines) {
        if (deadline && (!first || *deadline < *first)) {
            first = deadline;
        }
    }
    return first;
}

bool has_passed(const Deadline& deadline) { return deadline && Clock::now() >= *deadline; }

int poll_timeout(const Deadline& deadline) {
    if (!deadline) {
        return -1;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<decltype(left)>(left, 0, std::numeric_limits<int>::max()));
}

} // namespace finally_run::os
