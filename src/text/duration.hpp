// DURATION words of the command line: `10`, `.5`, `2.25m`, `1h30m`.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace finally_run::text {

using Duration = std::chrono::nanoseconds;

// A time limit; nullopt means that there is none.
using Limit = std::optional<Duration>;

// A decimal number with `ms`, `s` (the default), `m`, `h` or `d`, or the sum of several that all have a unit. nullopt
// if the text is anything else (a sign, an exponent, blanks, "inf"). What does not fit saturates to Duration::max().
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);

} // namespace finally_run::text
