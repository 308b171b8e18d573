// The man page and the completions name the options of the table: all of them and no others.
#include "cli/help.hpp"
#include "cli/options.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>

using namespace finally_run::cli;

namespace {

using Names = std::set<std::string>;

// As one string, which a failed check can show.
std::string joined(const Names& names) {
    std::string list;
    for (const auto& name : names) {
        list += name + ' ';
    }
    return list;
}

std::string text_of(const std::string& path) {
    std::ifstream file(std::string(FINALLY_RUN_SOURCE_DIR) + "/" + path, std::ios::binary);
    REQUIRE_MESSAGE(file, path);
    return {std::istreambuf_iterator<char>(file), {}};
}

// Without the `\-`, `\fB` and the like of a man page.
std::string without_roff(const std::string& page) {
    std::string text;
    for (std::size_t i = 0; i < page.size(); ++i) {
        if (page[i] != '\\') {
            text += page[i];
        } else if (page.compare(i, 2, "\\f") == 0) {
            i += 2;
        }
    }
    return text;
}

bool is_name_character(char c) { return std::islower(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_'; }

// Every `--name` in a text, where `introduction` stands for the dashes.
Names names_in(const std::string& text, const std::string& introduction) {
    Names names;
    for (auto at = text.find(introduction); at != text.npos; at = text.find(introduction, at + 1)) {
        const auto begin = at + introduction.size();
        auto end = begin;
        while (end < text.size() && is_name_character(text[end])) {
            ++end;
        }
        const bool inside_a_word = introduction.front() == '-' && at > 0 && is_name_character(text[at - 1]);
        if (end > begin && text[begin] != '-' && !inside_a_word) {
            names.insert(text.substr(begin, end - begin));
        }
    }
    return names;
}

// The lines of the man page that say what an entry of its OPTIONS is about.
std::string headings_of_options(const std::string& page) {
    const auto section = page.find("\n.SH OPTIONS\n");
    REQUIRE(section != page.npos);
    const auto end = page.find("\n.SH ", section + 1);
    std::string headings;
    for (auto at = page.find("\n.TP", section); at < end; at = page.find("\n.TP", at + 1)) {
        const auto heading = page.find('\n', at + 1);
        headings += page.substr(heading, page.find('\n', heading + 1) - heading);
    }
    return headings + '\n';
}

Names names_in_table() {
    Names names;
    for (const auto& option : all_options()) {
        names.emplace(option.name);
    }
    return names;
}

Names letters_in_table() {
    Names letters;
    for (const auto& option : all_options()) {
        if (option.letter != '\0') {
            letters.emplace(1, option.letter);
        }
    }
    return letters;
}

// What follows each `-s ` in the lines of the fish completion.
Names fish_letters(const std::string& text) {
    Names letters;
    for (auto at = text.find(" -s "); at != text.npos; at = text.find(" -s ", at + 1)) {
        letters.insert(text.substr(at + 4, 1));
    }
    return letters;
}

// The names and letters of the options that take a value, or of those that take none.
Names words_of_options(bool with_value, const std::string& before_name, const std::string& before_letter) {
    Names words;
    for (const auto& option : all_options()) {
        if (option.value.empty() != with_value) {
            words.insert(before_name + std::string(option.name));
            if (option.letter != '\0') {
                words.insert(before_letter + option.letter);
            }
        }
    }
    return words;
}

Names words_between(const std::string& text, const std::string& begin, const std::string& end) {
    const auto from = text.find(begin);
    REQUIRE(from != text.npos);
    std::istringstream list(
        text.substr(from + begin.size(), text.find(end, from + begin.size()) - from - begin.size()));
    Names words{std::istream_iterator<std::string>(list), {}};
    words.erase("\\"); // a continued line
    return words;
}

// The words of a list in the bash completion, which may be too long for one line: name='...', name+='...'.
Names words_of_bash(const std::string& text, const std::string& name) {
    auto words = words_between(text, "local " + name + "='", "'");
    const auto more = name + "+='";
    for (auto at = text.find(more); at != text.npos; at = text.find(more, at + 1)) {
        words.merge(words_between(text.substr(at), more, "'"));
    }
    return words;
}

std::string missing(const std::string& text, const std::string& before, const std::string& after) {
    std::string list;
    for (const auto& letter : letters_in_table()) {
        const std::string wanted = std::string(before).append(letter).append(after);
        if (text.find(wanted) == text.npos) {
            list += letter;
        }
    }
    return list;
}

} // namespace

TEST_SUITE("cli/docs") {
    TEST_CASE("the bash completion knows the options of the table and no others") {
        const auto text = text_of("completions/finally-run.bash");
        CHECK(joined(names_in(text, "--")) == joined(names_in_table()));
        CHECK(joined(words_of_bash(text, "take_none")) == joined(words_of_options(false, "--", "-")));
        CHECK(joined(words_of_bash(text, "take_a_value")) == joined(words_of_options(true, "--", "-")));
        CHECK(missing(text, " -", " ").empty());
    }

    TEST_CASE("the zsh completion knows the options of the table and no others") {
        const auto text = text_of("completions/_finally-run");
        CHECK(joined(names_in(text, "--")) == joined(names_in_table()));
        CHECK(missing(text, "{-", "").empty());
    }

    TEST_CASE("the fish completion knows the options of the table and no others") {
        const auto text = text_of("completions/finally-run.fish");
        const auto declarations = text.substr(text.find("\n$option "));
        CHECK(joined(names_in(declarations, " -l ")) == joined(names_in_table()));
        CHECK(joined(fish_letters(declarations)) == joined(letters_in_table()));

        auto with_value = words_between(text, "set -l short_with_value ", "\n");
        with_value.merge(words_between(text, "set -l long_with_value ", "\n    set "));
        CHECK(joined(with_value) == joined(words_of_options(true, "", "")));
    }

    TEST_CASE("each choice of an option is known to every completion") {
        for (const auto* path :
             {"completions/finally-run.bash", "completions/_finally-run", "completions/finally-run.fish"}) {
            const auto text = text_of(path);
            for (const auto& option : all_options()) {
                if (option.value.find('|') != option.value.npos) {
                    auto choices = std::string(option.value);
                    std::ranges::replace(choices, '|', ' ');
                    CAPTURE(path);
                    CAPTURE(choices);
                    CHECK(text.find(choices) != text.npos);
                }
            }
        }
    }

    TEST_CASE("the synopsis of the man page and the usage in help name the same options") {
        const auto page = text_of("man/finally-run.1");
        const auto begin = page.find("\n.SH SYNOPSIS\n");
        const auto synopsis = without_roff(page.substr(begin, page.find("\n.SH ", begin + 1) - begin));
        const auto help = help_text();
        const auto usage = names_in(help.substr(0, help.find("\nRun COMMAND")), "--");
        CHECK(joined(names_in(synopsis, "--")) == joined(usage));
        CHECK(joined(usage) == "all-users defer forget help json recover status stop version ");
    }

    TEST_CASE("the man page describes the options of the table and no others") {
        const auto text = without_roff(headings_of_options(text_of("man/finally-run.1")));
        CHECK(joined(names_in(text, "--")) == joined(names_in_table()));
        CHECK(missing(text, "\n-", ", --").empty());
    }
}
