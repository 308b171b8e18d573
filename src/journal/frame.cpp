// The frame of a record: RS SIZE SP CRC SP body LF, and what a piece of a journal without a whole one is.
#include "journal/frame.hpp"

#include <algorithm>
#include <array>

namespace finally_run::journal {

namespace {

constexpr std::size_t size_at = 1;
constexpr std::size_t crc_at = 10;
constexpr std::size_t digits = 8;
constexpr std::size_t shortest_record = head_size + 1 + 1; // with a body of one byte, and LF

constexpr auto crc_table = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
        std::uint32_t value = byte;
        for (int bit = 0; bit < 8; ++bit) {
            value = (value >> 1) ^ ((value & 1) != 0 ? 0x82F6'3B78U : 0U);
        }
        table[byte] = value;
    }
    return table;
}();

// A digit as we write it, and the number that up to eight of them are.
bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

std::uint32_t hex_value(std::string_view hex) {
    std::uint32_t value = 0;
    for (const char c : hex) {
        value = value << 4 | static_cast<std::uint32_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return value;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

bool is_nul(char c) { return c == '\0'; }

void write_hex(std::span<char> to, std::uint32_t value) {
    for (std::size_t i = to.size(); i > 0; --i) {
        to[i - 1] = "0123456789abcdef"[value & 0xF];
        value >>= 4;
    }
}

std::uint32_t checksum(std::string_view record) {
    const std::string_view body = record.substr(head_size, record.size() - head_size - 1);
    return crc32c(body, crc32c(record.substr(size_at, digits)));
}

// Could this be how a record begins, as far as the bytes go? They begin with RS and have no control characters else.
bool begins_well(std::string_view bytes) {
    for (std::size_t i = 1; i < std::min(bytes.size(), head_size); ++i) {
        const bool blank = i == crc_at - 1 || i == head_size - 1;
        if (blank ? bytes[i] != ' ' : !is_hex(bytes[i])) {
            return false;
        }
    }
    return true;
}

// Meaningful if there are enough bytes for it.
std::size_t announced_size(std::string_view bytes) { return hex_value(bytes.substr(size_at, digits)); }

bool is_cut_off(std::string_view bytes) {
    if (!begins_well(bytes)) {
        return false;
    }
    const bool has_size = bytes.size() >= size_at + digits;
    return !has_size || (announced_size(bytes) >= shortest_record && bytes.size() < announced_size(bytes));
}

bool is_whole(std::string_view bytes) {
    return bytes.size() >= shortest_record && begins_well(bytes) && bytes.size() == announced_size(bytes) &&
           checksum(bytes) == hex_value(bytes.substr(crc_at, digits));
}

} // namespace

std::uint32_t crc32c(std::string_view text, std::uint32_t so_far) noexcept {
    std::uint32_t crc = ~so_far;
    for (const char c : text) {
        crc = crc_table[(crc ^ static_cast<unsigned char>(c)) & 0xFF] ^ (crc >> 8);
    }
    return ~crc;
}

void seal(std::span<char> record) noexcept {
    record[0] = record_separator;
    write_hex(record.subspan(size_at, digits), static_cast<std::uint32_t>(record.size()));
    record[crc_at - 1] = ' ';
    write_hex(record.subspan(crc_at, digits), checksum({record.data(), record.size()}));
    record[head_size - 1] = ' ';
}

// One flipped bit never makes a whole record pass for one that was cut off: cut off is what has no LF and is shorter
// than SIZE says. A record with another SIZE still has its LF, one without LF is as long as SIZE says, and if an RS
// comes up inside, then what follows it has an LF and is no record.
Piece first_piece(std::string_view bytes) noexcept {
    using enum Piece::Kind;
    const auto is_all_nul = [](std::string_view text) { return std::ranges::all_of(text, is_nul); };
    if (bytes.front() != record_separator) {
        return {is_all_nul(bytes) ? unfinished : damaged};
    }
    std::size_t end = 1;
    while (end < bytes.size() && !is_control(bytes[end])) { // std::find_if is twice as slow where size counts
        ++end;
    }
    const std::string_view text = bytes.substr(0, end);
    const std::string_view rest = bytes.substr(end);
    if (rest.starts_with('\n')) {
        const std::string_view record = bytes.substr(0, end + 1);
        return is_whole(record) ? Piece{whole, record.size(), text.substr(head_size)} : Piece{damaged};
    }
    if (!is_cut_off(text)) {
        return {damaged};
    }
    if (rest.starts_with(record_separator)) {
        return {torn, end};
    }
    return {is_all_nul(rest) ? unfinished : damaged};
}

} // namespace finally_run::journal
