// The fields of a record: written into a buffer, and read again.
#include "journal/fields.hpp"

#include <cstddef>

namespace finally_run::journal {

namespace {

constexpr std::string_view empty_field = "\\-";
constexpr std::string_view hex_digits = "0123456789abcdef";

bool must_be_escaped(char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '\\'; }

// Where the next byte stands that does not stand for itself, from `i` on; an environment has thousands that do.
std::size_t next_special(std::string_view text, std::size_t i) {
    while (i < text.size() && !must_be_escaped(text[i])) {
        ++i;
    }
    return i;
}

} // namespace

std::string escaped(std::string_view text) {
    if (text.empty()) {
        return std::string(empty_field);
    }
    std::string field;
    field.reserve(text.size());
    for (std::size_t i = 0;; ++i) {
        const std::size_t special = next_special(text, i);
        field.append(text, i, special - i);
        i = special;
        if (i == text.size()) {
            return field;
        }
        const auto byte = static_cast<unsigned char>(text[i]);
        field += {'\\', 'x', hex_digits[byte >> 4], hex_digits[byte & 0xF]};
    }
}

std::optional<std::string> unescaped(std::string_view field) {
    if (field == empty_field) {
        return std::string();
    }
    if (field.empty()) {
        return std::nullopt;
    }
    std::string text;
    text.reserve(field.size());
    for (std::size_t i = 0;;) {
        const std::size_t special = next_special(field, i);
        text.append(field, i, special - i);
        i = special;
        if (i == field.size()) {
            return text;
        }
        const auto escape = field.substr(i, 4);
        if (escape.size() != 4 || !escape.starts_with("\\x")) {
            return std::nullopt;
        }
        const auto high = hex_digits.find(escape[2]);
        const auto low = hex_digits.find(escape[3]);
        if (high == hex_digits.npos || low == hex_digits.npos || !must_be_escaped(static_cast<char>(high << 4 | low))) {
            return std::nullopt;
        }
        text += static_cast<char>(high << 4 | low);
        i += escape.size();
    }
}

void Reader::text(std::string& value) {
    auto text = unescaped(next());
    expect(text.has_value());
    if (text) {
        value = std::move(*text);
    }
}

void Reader::flag(bool& value, std::string_view yes, std::string_view no) {
    const std::string_view field = next();
    value = field == yes;
    expect(value || field == no);
}

void Reader::limit(text::Limit& value) {
    Reader number_again = *this;
    if (next() == no_limit) {
        value = std::nullopt;
        return;
    }
    text::Duration::rep nanoseconds = 0;
    number_again.number(nanoseconds, text::Duration::rep{0});
    *this = number_again;
    value = text::Duration(nanoseconds);
}

// Behind the last field there is an empty one, which no type of field takes.
std::string_view Reader::next() {
    const auto blank = m_rest.find(' ');
    const std::string_view field = m_rest.substr(0, blank);
    m_more = blank != m_rest.npos;
    m_rest = m_more ? m_rest.substr(blank + 1) : std::string_view();
    return field;
}

} // namespace finally_run::journal
