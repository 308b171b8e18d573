// The frame of a record: RS SIZE SP CRC SP body LF, and what a piece of a journal without a whole one is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace finally_run::journal {

// RS, SIZE, SP, CRC, SP.
inline constexpr std::size_t head_size = 1 + 8 + 1 + 8 + 1;

// RS.
inline constexpr char record_separator = '\x1E';

// What SIZE can say.
inline constexpr std::size_t longest_record = 0xFFFF'FFFF;

// RFC 3720, section 12.1. `so_far` is the checksum of what stands before the text.
[[nodiscard]] std::uint32_t crc32c(std::string_view text, std::uint32_t so_far = 0) noexcept;

// Fills in the head, for which `record` has left room, of a record that is complete from its body to LF.
void seal(std::span<char> record) noexcept;

struct Piece {
    enum class Kind {
        whole,
        torn,       // it was cut off, and another record begins behind it
        unfinished, // it is cut off, or lost but for NUL bytes, by the end of the bytes
        damaged,
    };
    Kind kind;
    std::size_t size = 0;       // whole, torn: how far it reaches
    std::string_view body = {}; // whole: what is between the head and LF; it has no control characters
};

// The piece that `bytes`, which are not empty, begin with. Looks at no byte behind it, except for NUL bytes.
[[nodiscard]] Piece first_piece(std::string_view bytes) noexcept;

} // namespace finally_run::journal
