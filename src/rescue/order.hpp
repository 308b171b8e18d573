// In which order runs that were left are finished.
#pragma once

#include "journal/runs.hpp"

#include <vector>

namespace finally_run::rescue {

// A run comes before the one that it was started in, as if its own guardian had finished it. A run of which nothing is
// left but what has failed goes behind the others with one of its locks: their command may still run, and nothing is to
// be tried again beside it. Else the order stays.
void put_in_order(std::vector<journal::Item>& runs);

// Those that were started inside one of these, at any depth, and are none of them. Not those of which nothing is left
// but what has failed: that is tried again by whoever asks for it, or takes their locks.
[[nodiscard]] std::vector<journal::Item> started_inside(const std::vector<journal::Item>& these,
                                                        const journal::Runs& runs);

} // namespace finally_run::rescue
