// Foreign text in a line of a terminal or a log: made harmless, measured and cut.
#pragma once

#include "text/duration.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace finally_run::report {

// The runners of GitHub and Azure take `##[command]` and `##vso[command]` for a command anywhere in a line. The log
// that a line ends up in may be theirs whatever our environment says: here such a mark is broken up.
[[nodiscard]] std::string defused(std::string text);

// How many columns UTF-8 takes on a terminal: a guess, for without a locale nobody knows.
[[nodiscard]] std::size_t width_of(std::string_view text);

// The text itself if it fits into `columns`, else as much of its beginning or its end as fits together with "...".
// An end begins at a slash if there is one. `text` is UTF-8.
[[nodiscard]] std::string beginning_of(std::string_view text, std::size_t columns);
[[nodiscard]] std::string end_of(std::string_view text, std::size_t columns);

// Foreign text, raw, with control characters made visible and marks broken up: whole (a path, an address), or its
// beginning.
[[nodiscard]] std::string shown(std::string_view text);
[[nodiscard]] std::string shown_within(std::string_view text, std::size_t columns);

// The texts, with commas between them.
[[nodiscard]] std::string listed(const std::vector<std::string>& texts);

// "12s", "3m05s", "2h07m", "1d04h"; a time to come is "0s", since a clock may have been set back.
[[nodiscard]] std::string age_text(text::Duration age);

// Of the terminal that the descriptor leads to; else `otherwise`.
[[nodiscard]] std::size_t columns_of(int descriptor, std::size_t otherwise);

} // namespace finally_run::report
