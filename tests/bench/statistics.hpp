// What many measurements of one thing say together.
#pragma once

#include <span>
#include <vector>

namespace finally_run::bench {

// `part` 0.5 is the median, 0.9 the 90th percentile. Throws std::logic_error if there is nothing.
[[nodiscard]] double quantile(std::vector<double> values, double part);

[[nodiscard]] double median(std::span<const double> values);

// The median of what was divided round by round, and between what the true one lies with 95 %.
struct Ratio {
    double median = 0;
    double low = 0;
    double high = 0;
};

// Element i of both is from the same round: what disturbed the machine in it disturbed both.
[[nodiscard]] Ratio paired_ratio(std::span<const double> ours, std::span<const double> theirs);

} // namespace finally_run::bench
