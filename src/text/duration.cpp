// DURATION words of the command line: `10`, `.5`, `2.25m`, `1h30m`.
#include "text/duration.hpp"

#include <cstdint>

namespace finally_run::text {

namespace {

constexpr std::int64_t longest = Duration::max().count();

std::int64_t saturating_add(std::int64_t a, std::int64_t b) { return a > longest - b ? longest : a + b; }

std::int64_t saturating_multiply(std::int64_t a, std::int64_t b) { return b != 0 && a > longest / b ? longest : a * b; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<std::int64_t> nanoseconds_per(std::string_view unit) {
    using std::chrono::nanoseconds;
    if (unit == "ms") {
        return nanoseconds(std::chrono::milliseconds(1)).count();
    }
    if (unit.empty() || unit == "s") {
        return nanoseconds(std::chrono::seconds(1)).count();
    }
    if (unit == "m") {
        return nanoseconds(std::chrono::minutes(1)).count();
    }
    if (unit == "h") {
        return nanoseconds(std::chrono::hours(1)).count();
    }
    if (unit == "d") {
        return nanoseconds(std::chrono::hours(24)).count();
    }
    return std::nullopt;
}

std::optional<std::int64_t> parse_part(std::string_view number, std::string_view unit_name) {
    const auto unit = nanoseconds_per(unit_name);
    const auto point = number.find('.');
    const bool has_digit = number.find_first_of("0123456789") != number.npos;
    if (!unit || !has_digit || number.rfind('.') != point) {
        return std::nullopt;
    }

    std::int64_t whole = 0;
    for (const char digit : number.substr(0, point)) {
        whole = saturating_add(saturating_multiply(whole, 10), digit - '0');
    }
    std::int64_t total = saturating_multiply(whole, *unit);

    // 0 means "no limit" to most options, so a tiny number must not be rounded down to it.
    bool lost = false;
    std::int64_t place = *unit;
    for (std::size_t i = point; i < number.size(); ++i) {
        if (is_digit(number[i])) {
            place /= 10;
            total = saturating_add(total, (number[i] - '0') * place);
            lost = lost || (number[i] != '0' && place == 0);
        }
    }
    return total == 0 && lost ? 1 : total;
}

} // namespace

std::optional<Duration> parse_duration(std::string_view text) {
    constexpr std::string_view numeric = "0123456789.";
    std::int64_t total = 0;
    bool first = true;
    do {
        const auto number = text.substr(0, text.find_first_not_of(numeric));
        text.remove_prefix(number.size());
        const auto unit = text.substr(0, text.find_first_of(numeric));
        text.remove_prefix(unit.size());
        const auto part = parse_part(number, unit);
        if (!part || (unit.empty() && !first)) {
            return std::nullopt;
        }
        total = saturating_add(total, *part);
        first = false;
    } while (!text.empty());
    return Duration(total);
}

} // namespace finally_run::text
