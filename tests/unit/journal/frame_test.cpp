// journal/frame: the checksum, and which pieces of a journal are whole, cut off or damaged.
#include "journal/frame.hpp"

#include <doctest/doctest.h>

#include <string>

namespace finally_run::journal {

namespace {

using PieceKind = Piece::Kind;
using namespace std::string_literals;

std::string frame_of(const std::string& body) {
    std::string record = std::string(head_size, ' ') + body + '\n';
    seal(record);
    return record;
}

PieceKind kind_of(const std::string& bytes) { return first_piece(bytes).kind; }

} // namespace

TEST_SUITE("journal/frame") {
    TEST_CASE("the checksum is the one of RFC 3720") {
        CHECK(crc32c("") == 0);
        CHECK(crc32c("123456789") == 0xE3069283);
        CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AA);
        CHECK(crc32c(std::string(32, '\xFF')) == 0x62A8AB43);
        CHECK(crc32c("6789", crc32c("12345")) == crc32c("123456789"));
    }

    TEST_CASE("a frame begins with RS, its size and its checksum, and ends with LF") {
        CHECK(frame_of("over done") == "\x1E"
                                       "0000001d fd9cc2f9 over done\n");
        const std::string bytes = frame_of("over done") + "anything";
        const auto piece = first_piece(bytes);
        CHECK(piece.kind == PieceKind::whole);
        CHECK(piece.body == "over done");
        CHECK(piece.size == frame_of("over done").size());
    }

    TEST_CASE("a frame without a body is damage") { CHECK(kind_of(frame_of("")) == PieceKind::damaged); }

    TEST_CASE("the size is part of the checksum") {
        // A record from which a byte was taken, and whose size was made to fit.
        std::string shorter = frame_of("over done").erase(head_size, 1);
        shorter[8] = 'c';
        CHECK(kind_of(shorter) == PieceKind::damaged);
    }

    TEST_CASE("a size that is not the frame's is damage, even with the checksum of its digits") {
        std::string record = frame_of("over done");
        CHECK(kind_of(record) == PieceKind::whole);
        record.replace(1, 8, "0000001c");
        const std::uint32_t crc = crc32c("over done", crc32c("0000001c"));
        for (int i = 0; i < 8; ++i) {
            record[17 - static_cast<std::size_t>(i)] = "0123456789abcdef"[crc >> (4 * i) & 0xF];
        }
        CHECK(kind_of(record) == PieceKind::damaged);
    }

    TEST_CASE("a beginning of a frame is unfinished at the end, and torn in front of another") {
        const std::string whole = frame_of("over done");
        for (std::size_t size = 1; size < whole.size(); ++size) {
            CAPTURE(size);
            const std::string cut = whole.substr(0, size);
            CHECK(kind_of(cut) == PieceKind::unfinished);
            CHECK(kind_of(cut + '\0') == PieceKind::unfinished);
            CHECK(kind_of(cut + "\x1E") == PieceKind::torn);
            CHECK(first_piece(cut + whole).size == size);
        }
    }

    TEST_CASE("nothing but NUL bytes is unfinished") {
        CHECK(kind_of("\0"s) == PieceKind::unfinished);
        CHECK(kind_of("\0\0\0"s) == PieceKind::unfinished);
        CHECK(kind_of("\0\0x"s) == PieceKind::damaged);
        CHECK(kind_of("\0\x1E"s) == PieceKind::damaged);
        CHECK(kind_of("\x1E"
                      "0000\0\0\x1E"s) == PieceKind::damaged);
        CHECK(kind_of("\x1E"
                      "0000\0x"s) == PieceKind::damaged);
    }

    TEST_CASE("what does not begin as a frame does is damage, torn or not") {
        for (const auto* head : {"x", "\n", "\x1D", "\x1Eg", "\x1E ",
                                 "\x1E"
                                 "0000001D",
                                 "\x1E"
                                 "0000001dx",
                                 "\x1E"
                                 "0000001d  ",
                                 "\x1E"
                                 "0000001d fd9cc2f9x",
                                 "\x1E"
                                 "0000001d A",
                                 "\x1E\n"}) {
            CAPTURE(head);
            CHECK(kind_of(head) == PieceKind::damaged);
            CHECK(kind_of(head + "\x1E"s) == PieceKind::damaged);
        }
    }

    TEST_CASE("a frame as long as its size says, or longer, is not torn") {
        std::string whole = frame_of("over done");
        whole.pop_back();
        for (const auto* end : {"x", "xy", "x\n"}) {
            CAPTURE(end);
            CHECK(kind_of(whole + end) == PieceKind::damaged);
            CHECK(kind_of(whole + end + "\x1E") == PieceKind::damaged);
        }
    }

    TEST_CASE("a frame whose size is less than a frame has is not torn") {
        CHECK(kind_of("\x1E"
                      "00000014 12") == PieceKind::damaged);
        CHECK(kind_of("\x1E"
                      "00000015 12") == PieceKind::unfinished);
    }

    TEST_CASE("a control character in a frame is damage") {
        for (const char c : "\0\x01\t\r\x1B\x7F\x0B"s) {
            CAPTURE(int(c));
            CHECK(kind_of(frame_of("over"s + c + "done")) == PieceKind::damaged);
            CHECK(kind_of(frame_of("over done").substr(0, 22) + c + "x") == PieceKind::damaged);
        }
    }

    TEST_CASE("the size may be anything that eight digits say") {
        CHECK(kind_of("\x1E"
                      "ffffffff 00000000 x") == PieceKind::unfinished);
        CHECK(kind_of("\x1E"
                      "ffffffff 00000000 x\n") == PieceKind::damaged);
        CHECK(kind_of("\x1E"
                      "00000000 00000000 x\n") == PieceKind::damaged);
    }
}

} // namespace finally_run::journal
