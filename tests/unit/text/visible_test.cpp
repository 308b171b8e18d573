// text/visible: foreign text in messages.
#include "text/visible.hpp"

#include <doctest/doctest.h>

using finally_run::text::visible;

TEST_SUITE("text/visible") {
    TEST_CASE("plain text stays as it is") {
        CHECK(visible("").empty());
        CHECK(visible("make test 'a b' $x") == "make test 'a b' $x");
        CHECK(visible("Grüße 東京 🚀") == "Grüße 東京 🚀");
        CHECK(visible("C:\\new") == "C:\\new");
    }

    TEST_CASE("control characters and escape sequences are shown, not passed on") {
        CHECK(visible("a\nb\tc\rd") == "a\\nb\\tc\\rd");
        CHECK(visible("\x1b[31mred\x07") == "\\e[31mred\\x07");
        CHECK(visible("\x7f") == "\\x7f");
        CHECK(visible(std::string_view("\0x", 2)) == "\\x00x");
    }

    TEST_CASE("control characters in two bytes of UTF-8 are shown") {
        CHECK(visible("\xc2\x9b"
                      "31m") == "\\xc2\\x9b31m");
        CHECK(visible("\xc2\x85") == "\\xc2\\x85");
        CHECK(visible("\xc2\xa0") == "\xc2\xa0");
    }

    TEST_CASE("line separators and characters that reorder the text are shown") {
        CHECK(visible("a\u2028b\u2029") == "a\\xe2\\x80\\xa8b\\xe2\\x80\\xa9");
        CHECK(visible("\u202e") == "\\xe2\\x80\\xae");
        CHECK(visible("\u2066\u2069") == "\\xe2\\x81\\xa6\\xe2\\x81\\xa9");
        CHECK(visible("\u200f") == "\\xe2\\x80\\x8f");
    }

    TEST_CASE("bytes that are not UTF-8 are shown one by one") {
        CHECK(visible("caf\xe9!") == "caf\\xe9!");
        CHECK(visible("\x9b") == "\\x9b");
        CHECK(visible("\xc3") == "\\xc3");
        CHECK(visible(std::string_view("ü").substr(0, 1)) == "\\xc3");
        CHECK(visible("\xe2\x82") == "\\xe2\\x82");
        CHECK(visible("\xc0\x8a") == "\\xc0\\x8a");
        CHECK(visible("\xe0\x82\x9b") == "\\xe0\\x82\\x9b");
        CHECK(visible("\xe0\x81\x81") == "\\xe0\\x81\\x81");
        CHECK(visible("\xf0\x80\x81\x81") == "\\xf0\\x80\\x81\\x81");
        CHECK(visible("\xed\xa0\x80") == "\\xed\\xa0\\x80");
        CHECK(visible("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
        CHECK(visible("\xff\xfe") == "\\xff\\xfe");
        CHECK(visible("\xe2(\n") == "\\xe2(\\n");
    }

    TEST_CASE("long text is cut between characters and ends in dots") {
        CHECK(visible("abcdef", 6) == "abcdef");
        CHECK(visible("abcdefg", 6) == "abc...");
        CHECK(visible("abüüüü", 6) == "ab...");
        CHECK(visible("ab\n\n\n", 6) == "ab...");
        CHECK(visible("abcdef", 2) == "..");
        CHECK(visible(std::string(1000, 'x')) == std::string(197, 'x') + "...");
    }
}
