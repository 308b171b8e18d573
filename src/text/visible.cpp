// Foreign text (names, commands, holders) made fit for a message.
#include "text/visible.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace finally_run::text {

namespace {

struct Character {
    std::size_t length;      // in bytes
    std::uint32_t codepoint; // meaningless if not valid
    bool valid;
};

unsigned char byte_at(std::string_view text, std::size_t index) { return static_cast<unsigned char>(text[index]); }

// How many bytes a UTF-8 sequence has by its first byte; 0: no sequence begins with it.
std::size_t sequence_length(unsigned char first) {
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        return 2;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        return 3;
    }
    return first >= 0xF0 && first <= 0xF4 ? 4 : 0;
}

Character first_character(std::string_view text) {
    constexpr Character invalid{1, 0, false};
    const unsigned char first = byte_at(text, 0);
    const std::size_t length = sequence_length(first);
    if (length == 0 || length > text.size()) {
        return invalid;
    }
    if (length == 1) {
        return {1, first, true};
    }
    std::uint32_t codepoint = first & (0xFFU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte_at(text, i) & 0xC0) != 0x80) {
            return invalid;
        }
        codepoint = (codepoint << 6) | (byte_at(text, i) & 0x3FU);
    }
    const bool overlong = (length == 3 && codepoint < 0x800) || (length == 4 && codepoint < 0x10000);
    const bool surrogate = codepoint >= 0xD800 && codepoint <= 0xDFFF;
    return overlong || surrogate || codepoint > 0x10FFFF ? invalid : Character{length, codepoint, true};
}

// Would it move the cursor, break the line or reorder the text around it?
bool is_unsafe(std::uint32_t codepoint) {
    const bool control = codepoint < 0x20 || (codepoint >= 0x7F && codepoint <= 0x9F);
    const bool line_break_or_embedding = codepoint >= 0x2028 && codepoint <= 0x202E;
    const bool isolate = codepoint >= 0x2066 && codepoint <= 0x2069;
    const bool direction_mark = codepoint == 0x200E || codepoint == 0x200F || codepoint == 0x061C;
    return control || line_break_or_embedding || isolate || direction_mark;
}

std::string escaped(std::string_view bytes) {
    if (bytes == "\n") {
        return "\\n";
    }
    if (bytes == "\r") {
        return "\\r";
    }
    if (bytes == "\t") {
        return "\\t";
    }
    if (bytes == "\x1B") {
        return "\\e";
    }
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        text += "\\x";
        text += digits[byte_at(bytes, i) >> 4];
        text += digits[byte_at(bytes, i) & 0xF];
    }
    return text;
}

// Of the scripts that need no joining or combining characters. All others are escaped, which JSON allows of anything.
bool is_letter(std::uint32_t codepoint) {
    struct Range {
        std::uint32_t first;
        std::uint32_t last;
    };
    constexpr auto letters = std::to_array<Range>({
        {0x00C0, 0x00D6}, {0x00D8, 0x00F6}, {0x00F8, 0x02AF}, // Latin
        {0x0388, 0x038A}, {0x038E, 0x03A1}, {0x03A3, 0x03F5}, // Greek
        {0x0400, 0x0481}, {0x048A, 0x052F},                   // Cyrillic
        {0x0531, 0x0556}, {0x0561, 0x0586},                   // Armenian
        {0x05D0, 0x05EA}, {0x0621, 0x063A}, {0x0641, 0x064A}, // Hebrew, Arabic
        {0x0E01, 0x0E30}, {0x10D0, 0x10FA},                   // Thai, Georgian
        {0x1E00, 0x1EFF},                                     // Latin
        {0x3041, 0x3096}, {0x30A1, 0x30FA},                   // Hiragana, Katakana
        {0x3400, 0x4DBF}, {0x4E00, 0x9FFF}, {0xAC00, 0xD7A3}, // Han, Hangul
    });
    return std::ranges::any_of(letters,
                               [&](const Range& range) { return codepoint >= range.first && codepoint <= range.last; });
}

void append_json_escape(std::string& text, std::uint32_t unit) {
    constexpr std::string_view digits = "0123456789abcdef";
    text += "\\u";
    for (const unsigned shift : {12U, 8U, 4U, 0U}) {
        text += digits[(unit >> shift) & 0xFU];
    }
}

} // namespace

std::string with_json_escapes(std::string_view json) {
    std::string safe;
    safe.reserve(json.size());
    while (!json.empty()) {
        const auto character = first_character(json);
        const std::uint32_t codepoint = character.valid ? character.codepoint : 0xFFFD;
        if (json.starts_with("##")) {
            append_json_escape(safe, '#');
        } else if (codepoint < 0x7F || is_letter(codepoint)) {
            safe += json.substr(0, character.length);
        } else if (codepoint < 0x10000) {
            append_json_escape(safe, codepoint);
        } else { // as UTF-16 has it: RFC 8259, section 7
            append_json_escape(safe, 0xD800 + ((codepoint - 0x10000) >> 10U));
            append_json_escape(safe, 0xDC00 + ((codepoint - 0x10000) & 0x3FFU));
        }
        json.remove_prefix(character.length);
    }
    return safe;
}

std::string visible(std::string_view text, std::size_t limit) {
    constexpr std::string_view ellipsis = "...";
    std::string shown;
    std::size_t cut_at = 0; // the longest prefix of whole characters that leaves room for the ellipsis
    while (!text.empty()) {
        const auto character = first_character(text);
        const auto bytes = text.substr(0, character.length);
        shown += character.valid && !is_unsafe(character.codepoint) ? std::string(bytes) : escaped(bytes);
        if (shown.size() > limit) {
            shown.resize(cut_at);
            return shown += ellipsis.substr(0, limit);
        }
        if (shown.size() + ellipsis.size() <= limit) {
            cut_at = shown.size();
        }
        text.remove_prefix(character.length);
    }
    return shown;
}

} // namespace finally_run::text
