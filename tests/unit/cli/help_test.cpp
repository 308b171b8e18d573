// cli/help and the table of options that it is made from.
#include "cli/help.hpp"

#include "cli/options.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

using namespace finally_run::cli;

TEST_SUITE("cli/help") {
    // One line for each option, and no more than one page of paper.
    TEST_CASE("help fits a page of 66 lines of 80 columns") {
        const auto help = help_text();
        CHECK(std::ranges::count(help, '\n') <= 66);
        std::size_t line_start = 0;
        for (auto end = help.find('\n'); end != help.npos; end = help.find('\n', line_start)) {
            CAPTURE(help.substr(line_start, end - line_start));
            CHECK(end - line_start <= 80);
            line_start = end + 1;
        }
        CHECK(line_start == help.size());
    }

    TEST_CASE("help describes every option with its letter, its value and the words that follow it") {
        const auto help = help_text();
        for (const auto& option : all_options()) {
            std::string row = option.letter != '\0' ? std::string("\n  -") + option.letter + ", --" : "\n      --";
            row += option.name;
            if (!option.value.empty()) {
                row += ' ';
                row += option.value;
            }
            if (!option.words.empty()) {
                row += ' ';
                row += option.words;
            }
            CAPTURE(row);
            CHECK(help.find(row) != help.npos);
            CHECK_FALSE(option.meaning.empty());
        }
    }

    TEST_CASE("no two options share a name or a letter, and each is found by both") {
        std::set<std::string_view> names;
        std::set<char> letters;
        for (const auto& option : all_options()) {
            CAPTURE(option.name);
            CHECK(names.insert(option.name).second);
            CHECK(find_by_name(option.name) == &option);
            CHECK(&option_of(option.id) == &option);
            if (option.letter != '\0') {
                CHECK(letters.insert(option.letter).second);
                CHECK(find_by_letter(option.letter) == &option);
            }
        }
        CHECK(find_by_name("") == nullptr);
        CHECK(find_by_letter('\0') == nullptr);
    }

    TEST_CASE("rivals know each other") {
        for (const auto& option : all_options()) {
            if (option.rival) {
                CHECK(option_of(*option.rival).rival == option.id);
            }
        }
    }

    TEST_CASE("a variable has the name of its option") {
        CHECK(variable_of(option_of(Id::state_dir)) == "FINALLY_RUN_STATE_DIR");
    }
}
