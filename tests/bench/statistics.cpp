#include "statistics.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace finally_run::bench {

namespace {

double between(const std::vector<double>& sorted, double position) {
    const double last = static_cast<double>(sorted.size() - 1);
    const double held = std::clamp(position, 0.0, last);
    const auto below = static_cast<std::size_t>(held);
    const auto above = std::min(below + 1, sorted.size() - 1);
    return std::lerp(sorted[below], sorted[above], held - static_cast<double>(below));
}

std::vector<double> sort(std::vector<double> values) {
    if (values.empty()) {
        throw std::logic_error("nothing was measured");
    }
    std::ranges::sort(values);
    return values;
}

} // namespace

double quantile(std::vector<double> values, double part) {
    const auto sorted = sort(std::move(values));
    return between(sorted, part * static_cast<double>(sorted.size() - 1));
}

double median(std::span<const double> values) { return quantile({values.begin(), values.end()}, 0.5); }

Ratio paired_ratio(std::span<const double> ours, std::span<const double> theirs) {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i) {
        ratios.push_back(ours[i] / theirs[i]);
    }
    const auto sorted = sort(std::move(ratios));
    const double middle = static_cast<double>(sorted.size() - 1) / 2;
    // How many lie below the true median is binomial with 1/2: 1.96 standard deviations of it.
    const double reach = 0.98 * std::sqrt(static_cast<double>(sorted.size()));
    return {between(sorted, middle), between(sorted, middle - reach), between(sorted, middle + reach)};
}

} // namespace finally_run::bench
