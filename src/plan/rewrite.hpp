// --rewrite FROM:TO: a signal that reaches us is passed on as another one.
#pragma once

#include <span>

namespace finally_run::plan {

struct Rewrite {
    int from;
    int to; // 0: dropped
};

// The signal itself if there is no rule for it; of two rules the last one counts.
[[nodiscard]] inline int passed_on_as(std::span<const Rewrite> rewrites, int signal) {
    int to = signal;
    for (const Rewrite& rewrite : rewrites) {
        to = rewrite.from == signal ? rewrite.to : to;
    }
    return to;
}

} // namespace finally_run::plan
