// Foreign text in a line: measured and cut.
#include "report/text.hpp"

#include "channel.hpp"

namespace {

using namespace finally_run;
using report::beginning_of;
using report::end_of;

} // namespace

TEST_CASE("a beginning or an end has at most the columns it may have, and no broken character") {
    CHECK(beginning_of("abcdef", 6) == "abcdef");
    CHECK(beginning_of("abcdef", 5) == "ab...");
    CHECK(end_of("abcdef", 6) == "abcdef");
    CHECK(end_of("abcdef", 5) == "...ef");
    CHECK(beginning_of("\u00e4\u00f6\u00fcxyz", 5) == "\u00e4\u00f6...");
    CHECK(end_of("xyz\u00e4\u00f6\u00fc", 5) == "...\u00f6\u00fc");
    CHECK(beginning_of("\u65e5\u672c\u65e5\u672c", 6) == "\u65e5...");
    CHECK(end_of("\u65e5\u672c\u65e5\u672c", 6) == "...\u672c");
    CHECK(beginning_of("abcdef", 3) == "...");
    CHECK(end_of("abcdef", 2) == "..");
    CHECK(end_of("abcdef", 0).empty());
}

TEST_CASE("the end of a path begins at a slash if it has one, and is never a slash alone") {
    CHECK(end_of("/long/way/to/x", 10) == ".../to/x");
    CHECK(end_of("/long/directory/", 10) == "...ectory/");
    CHECK(end_of("/one-long-name", 10) == "...ng-name");
}

TEST_CASE("a list has commas between its texts alone") {
    CHECK(report::listed({}).empty());
    CHECK(report::listed({"a"}) == "a");
    CHECK(report::listed({"a", "b c", "d"}) == "a, b c, d");
}

TEST_CASE("cut text is still free of control characters") {
    CHECK(report::shown_within("\n\n\n\n", 5) == "\\n...");
    CHECK(report::shown_within(std::string(1000, '\xe4'), 8) == "\\xe4\\...");
    CHECK(report::shown_within("a\tb", 4) == "a\\tb");
}

TEST_CASE("text is filled up to its columns whatever its characters are") {
    for (const char* character : {"a", "\u00e4", "\u2026", "\u65e5", "\U0001f680"}) {
        CAPTURE(character);
        std::string text;
        for (int i = 0; i < 200; ++i) {
            text += character;
        }
        const auto width = report::width_of(report::shown_within(text, 50));
        CHECK(width >= 49);
        CHECK(width <= 50);
    }
}

TEST_CASE("a terminal tells its columns, and anything else has those that it is given") {
    const auto terminal = test::terminal_channel(33);
    const auto unsized = test::terminal_channel(0);
    const auto pipe = test::pipe_channel();
    CHECK(report::columns_of(terminal.writer.get(), 100) == 33);
    CHECK(report::columns_of(unsized.writer.get(), 100) == 100);
    CHECK(report::columns_of(pipe.writer.get(), 100) == 100);
}
