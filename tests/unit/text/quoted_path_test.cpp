// text/quoted_path: what a shell makes of it.
#include "text/quoted_path.hpp"

#include "text/visible.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <string>

using finally_run::text::quoted_path;

namespace {

// What sh makes of the word.
std::string read_by_shell(const std::string& word) {
    std::FILE* const shell = ::popen(("printf %s. " + word).c_str(), "re");
    REQUIRE(shell != nullptr);
    std::string text;
    for (int c = std::fgetc(shell); c != EOF; c = std::fgetc(shell)) {
        text += static_cast<char>(c);
    }
    CHECK(::pclose(shell) == 0);
    REQUIRE_FALSE(text.empty());
    text.pop_back();
    return text;
}

} // namespace

TEST_SUITE("text/quoted_path") {
    TEST_CASE("a plain path stays as it is, and one with blanks is quoted") {
        CHECK(quoted_path("/var/tmp/x-1_2.d") == "/var/tmp/x-1_2.d");
        CHECK(quoted_path("/x y") == "'/x y'");
        CHECK(quoted_path("/it's") == "'/it'\\''s'");
        CHECK(quoted_path("/caf\u00e9") == "'/caf\u00e9'");
        CHECK(quoted_path("") == "''");
        CHECK(quoted_path("/a\nb") == "\"$(printf '/a\\012b')\"");
    }

    TEST_CASE("a shell reads the path from it, and a message shows it as it is, whatever the bytes") {
        std::string all;
        for (int byte = 1; byte < 256; ++byte) {
            all += static_cast<char>(byte);
        }
        for (const std::string& path :
             {std::string("/x y"), std::string(R"(/it's "x" `y` $HOME \)"), std::string("/a\nb"), std::string("-x"),
              std::string("~"), std::string("/##[x]"), std::string("/100%d \n \\n"), std::string("\n"), all}) {
            CAPTURE(path);
            const auto word = quoted_path(path);
            const auto read = read_by_shell(word);
            CHECK((read == path || (path.ends_with('\n') && read == path + '/')));
            CHECK(finally_run::text::visible(word, word.size()) == word);
        }
    }
}
