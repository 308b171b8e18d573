// Which option did a mistyped word mean?
#include "cli/suggest.hpp"

#include <algorithm>
#include <vector>

namespace finally_run::cli {

namespace {

// Damerau-Levenshtein, restricted to one swap of neighbours at a place ("optimal string alignment").
std::size_t edit_distance(std::string_view from, std::string_view to) {
    std::vector<std::size_t> before_previous;
    std::vector<std::size_t> previous(to.size() + 1);
    std::vector<std::size_t> current(to.size() + 1);
    for (std::size_t j = 0; j <= to.size(); ++j) {
        previous[j] = j;
    }
    for (std::size_t i = 1; i <= from.size(); ++i) {
        current[0] = i;
        for (std::size_t j = 1; j <= to.size(); ++j) {
            const std::size_t substitution = previous[j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
            current[j] = std::min({previous[j] + 1, current[j - 1] + 1, substitution});
            if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
                current[j] = std::min(current[j], before_previous[j - 2] + 1);
            }
        }
        before_previous = previous;
        previous.swap(current);
    }
    return previous[to.size()];
}

// The one option whose name begins like this, as GNU programs would take it.
const Option* only_option_with_prefix(std::string_view name) {
    const Option* found = nullptr;
    for (const Option& option : all_options()) {
        if (option.name.starts_with(name)) {
            if (found != nullptr) {
                return nullptr;
            }
            found = &option;
        }
    }
    return found;
}

} // namespace

const Option* nearest_option(std::string_view name) {
    constexpr std::size_t longest_worth_comparing = 40;
    if (name.empty() || name.size() > longest_worth_comparing) {
        return nullptr;
    }
    if (const Option* option = only_option_with_prefix(name)) {
        return option;
    }
    const auto distance = [name](const Option& option) { return edit_distance(name, option.name); };
    const auto nearest = std::ranges::min_element(all_options(), {}, distance);
    const std::size_t tolerance = std::max<std::size_t>(1, std::min(name.size(), nearest->name.size()) / 3);
    return distance(*nearest) <= tolerance ? &*nearest : nullptr;
}

} // namespace finally_run::cli
