// Tells the points that say nothing new: a walk over /proc has thousands of them.
#pragma once

#include "tracer.hpp"

#include <array>
#include <map>

namespace finally_run::crash {

class Repeats {
public:
    // To be asked once for each point, in order. A point repeats others if as many points with the same calls before
    // it were there already since the last call that changed something.
    [[nodiscard]] bool is_repeat(const Point& point);

private:
    using Kind = std::array<long, 6>; // the last points, this one last
    Kind m_kind{};
    std::map<Kind, unsigned> m_seen;
};

} // namespace finally_run::crash
