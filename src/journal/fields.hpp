// The fields of a record: written into a buffer, and read again. Writer and Reader have the same functions, so that one
// description of a record serves both.
#pragma once

#include "journal/frame.hpp"
#include "text/duration.hpp"

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::journal {

inline constexpr std::string_view no_limit = "none";

// The field of any bytes.
[[nodiscard]] std::string escaped(std::string_view text);
// nullopt for what escaped() does not write.
[[nodiscard]] std::optional<std::string> unescaped(std::string_view field);

// `Buffer` has push_back and append as std::string has them; only what is written with text() allocates by itself.
template <class Buffer> class Writer {
public:
    // Leaves room for the head.
    Writer(Buffer& buffer, std::string_view type) : m_buffer(buffer) {
        m_buffer.append(head_size, ' ');
        m_buffer.append(type);
    }

    template <std::integral Number> void number(Number value, Number = {}, Number = {}, int base = 10) {
        std::array<char, 24> digits{};
        const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value, base);
        field({digits.data(), static_cast<std::size_t>(end - digits.data())});
    }
    void text(std::string_view value) { field(escaped(value)); }
    void added_text(std::string_view value) {
        if (!value.empty()) {
            text(value);
        }
    }
    template <class Value, class Each> void added(const std::optional<Value>& value, Each each) {
        if (value) {
            each(*value);
        }
    }
    void flag(bool value, std::string_view yes, std::string_view no) { field(value ? yes : no); }
    void added_flag(bool value, std::string_view yes) {
        if (value) {
            field(yes);
        }
    }
    template <class Enum> void word(Enum value) { field(name_of(value)); }
    void limit(const text::Limit& value) { value ? number(value->count()) : field(no_limit); }

    template <class Value, class Each> void list(const std::vector<Value>& values, Each each) {
        number(values.size());
        for (const Value& value : values) {
            each(value);
        }
    }
    template <class Value, class Each> void list(const std::optional<Value>& value, Each each) {
        number(static_cast<std::size_t>(value ? 1 : 0));
        if (value) {
            each(*value);
        }
    }

private:
    void field(std::string_view field) {
        m_buffer.push_back(' ');
        m_buffer.append(field);
    }

    Buffer& m_buffer;
};

// It is good until a field is missing or wrong; the values read from then on mean nothing.
class Reader {
public:
    // `body` outlives the reader.
    explicit Reader(std::string_view body) : m_rest(body), m_type(next()) {}

    [[nodiscard]] std::string_view type() const { return m_type; }
    [[nodiscard]] bool good() const { return m_good; }
    [[nodiscard]] bool at_end() const { return !m_more; }

    template <std::integral Number>
    void number(Number& value, Number lowest = std::numeric_limits<Number>::min(),
                Number highest = std::numeric_limits<Number>::max(), int base = 10) {
        const std::string_view field = next();
        const char* const last = field.data() + field.size();
        const auto [end, error] = std::from_chars(field.data(), last, value, base);
        const std::string_view digits = field.substr(field.starts_with('-') ? 1 : 0);
        const bool one_form = field == "0" || !digits.starts_with('0');
        expect(error == std::errc() && end == last && one_form && value >= lowest && value <= highest);
    }
    void text(std::string& value);
    // One at the end that may be missing, as in records of older versions.
    void added_text(std::string& value) {
        if (!at_end()) {
            text(value);
        }
    }
    // Several at the end that may be missing together.
    template <class Value, class Each> void added(std::optional<Value>& value, Each each) {
        if (!at_end()) {
            each(value.emplace());
        }
    }
    void flag(bool& value, std::string_view yes, std::string_view no);
    void added_flag(bool& value, std::string_view yes) {
        value = !at_end();
        expect(!value || next() == yes);
    }
    template <class Enum> void word(Enum& value) {
        const std::string_view field = next();
        // They count from 0. A name_of is a switch, which the compiler keeps complete; what is no value has no name.
        for (int i = 0; !name_of(static_cast<Enum>(i)).empty(); ++i) {
            value = static_cast<Enum>(i);
            if (field == name_of(value)) {
                return;
            }
        }
        expect(false);
    }
    void limit(text::Limit& value);

    // No room is made for a number of elements that is only claimed.
    template <class Value, class Each> void list(std::vector<Value>& values, Each each) {
        std::size_t count = 0;
        number(count);
        for (; m_good && count > 0; --count) {
            each(values.emplace_back());
        }
    }
    template <class Value, class Each> void list(std::optional<Value>& value, Each each) {
        std::size_t count = 0;
        number(count, std::size_t{0}, std::size_t{1});
        if (m_good && count == 1) {
            each(value.emplace());
        }
    }

private:
    std::string_view next();
    void expect(bool well) { m_good = m_good && well; }

    std::string_view m_rest;
    bool m_more = true;
    bool m_good = true;
    std::string_view m_type;
};

} // namespace finally_run::journal
