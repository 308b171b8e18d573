#include "engine/said.hpp"

#include <cstddef>
#include <doctest/doctest.h>
#include <random>
#include <string>
#include <vector>

using namespace finally_run;
using engine::Hearing;
using engine::Said;

namespace {

std::vector<Said> all_of(std::string_view bytes) { return Hearing().hear(bytes); }

std::string breach_of(std::string_view bytes) {
    Hearing hearing;
    static_cast<void>(hearing.hear(bytes));
    return hearing.breach();
}

} // namespace

TEST_CASE("each line that a lock helper says is a word and its text") {
    CHECK(all_of("waiting host b, job 7\nunclean host a\nheld 42\ndone\n") ==
          std::vector<Said>{{Said::What::waiting, "host b, job 7"},
                            {Said::What::unclean, "host a"},
                            {Said::What::held, "42"},
                            {Said::What::done}});
    CHECK(all_of("held\n") == std::vector<Said>{{Said::What::held}});
    CHECK(all_of("waiting \x1b[31m\n").front().text == "\x1b[31m");
}

TEST_CASE("a line of a lock helper counts once it has its end") {
    Hearing hearing;
    CHECK(hearing.hear("hel").empty());
    CHECK(hearing.hear("d 4").empty());
    CHECK(hearing.hear("2\nwait") == std::vector<Said>{{Said::What::held, "42"}});
    CHECK(hearing.breach().empty());
}

TEST_CASE("what is no line of the protocol is told and nothing behind it counts") {
    CHECK(breach_of("\nheld 1\n") == "an empty line");
    CHECK(breach_of(std::string_view("held \0\n", 7)) == "a NUL");
    CHECK(breach_of("helt 1\n") == "unknown: helt 1");
    CHECK(breach_of("HELD 1\n") == "unknown: HELD 1");
    CHECK(breach_of("held 1\nheld 1\n") == "held, for the second time");
    CHECK(breach_of("held 1 2\n") == "a token that is no single word: 1 2");
    CHECK(breach_of("held 1\r\n") == "a token that is no single word: 1\\r");
    Hearing hearing;
    CHECK(hearing.hear("waiting a\n\nheld 1\n").size() == 1);
    CHECK(hearing.hear("held 1\n").empty());
}

TEST_CASE("a line that never ends takes no more memory than the longest one") {
    Hearing hearing;
    const std::string piece(1 << 16, 'x');
    for (int i = 0; i < 16; ++i) {
        CHECK(hearing.hear(piece).empty());
    }
    CHECK(hearing.breach() == "a line of more than 4096 bytes");
    CHECK(breach_of("waiting " + std::string(Hearing::longest_line - 8, 'x') + "\n").empty());
    CHECK_FALSE(breach_of("waiting " + std::string(Hearing::longest_line - 7, 'x') + "\n").empty());
}

TEST_CASE("what a lock helper says is the same in whatever pieces it comes") {
    std::mt19937 random(7); // NOLINT: the same each time
    const std::vector<std::string> words{"held 1\n", "waiting b\n", "unclean c\n", "done\n", "\n", "x", "held ", " "};
    for (int round = 0; round < 2000; ++round) {
        std::string bytes;
        for (int i = 0; i < 6; ++i) {
            bytes += words[random() % words.size()];
        }
        if (round % 3 == 0) {
            bytes[random() % bytes.size()] = static_cast<char>(random());
        }
        Hearing whole;
        const auto expected = whole.hear(bytes);
        Hearing pieces;
        std::vector<Said> said;
        for (std::size_t at = 0; at < bytes.size();) {
            const std::size_t size = 1 + random() % 5;
            for (const Said& one : pieces.hear(std::string_view(bytes).substr(at, size))) {
                said.push_back(one);
            }
            at += size;
        }
        CHECK(said == expected);
        CHECK(pieces.breach() == whole.breach());
    }
}
