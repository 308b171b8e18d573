#include "os/shell_words.hpp"

#include <algorithm>
#include <array>

namespace finally_run::os {

namespace {

// Words that dash, bash in its POSIX mode, busybox ash or a Korn shell takes for itself when a command begins with
// them.
constexpr auto taken_by_shells = std::to_array<std::string_view>(
    {// reserved words
     "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for", "foreach", "function", "if", "in", "repeat",
     "select", "then", "time", "until", "while",
     // builtins that POSIX knows
     ".", ":", "alias", "bg", "break", "cd", "command", "continue", "echo", "eval", "exec", "exit", "export", "false",
     "fc", "fg", "getopts", "hash", "jobs", "kill", "newgrp", "printf", "pwd", "read", "readonly", "return", "set",
     "shift", "test", "times", "trap", "true", "type", "ulimit", "umask", "unalias", "unset", "wait",
     // builtins of one shell or the other
     "autoload", "bind", "builtin", "caller", "chdir", "compgen", "complete", "compopt", "declare", "dirs", "disown",
     "enable", "functions", "global", "help", "history", "integer", "let", "local", "login", "logout", "mapfile",
     "nameref", "popd", "print", "pushd", "readarray", "shopt", "source", "stop", "suspend", "typeset", "whence"});

bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// Not special to any shell, wherever in a word it stands.
bool is_plain(char c) {
    constexpr std::string_view plain_punctuation = "%+,-./:=@_";
    const bool not_ascii = static_cast<unsigned char>(c) >= 0x80;
    return is_letter_or_digit(c) || not_ascii || plain_punctuation.find(c) != plain_punctuation.npos;
}

std::vector<std::string> split(std::string_view cmd) {
    std::vector<std::string> words;
    while (!cmd.empty()) {
        const auto length = static_cast<std::size_t>(std::ranges::find_if(cmd, is_blank) - cmd.begin());
        if (length > 0) {
            words.emplace_back(cmd.substr(0, length));
        }
        cmd.remove_prefix(std::min(length + 1, cmd.size()));
    }
    return words;
}

bool is_of_a_name(char c) { return is_letter_or_digit(c) || c == '_'; }

// Where a shell, or one below it that is given a quoted part, begins or ends a word.
constexpr std::string_view between_words = " \t\n;&|()`'\"";

bool is_between_words(char c) { return between_words.find(c) != between_words.npos; }

// Of ${VARIABLE...: whether it says what is to be done without the variable.
bool knows_what_else(std::string_view rest) {
    rest.remove_prefix(rest.starts_with(':') ? 1 : 0);
    return !rest.empty() && std::string_view("-=+?").find(rest.front()) != std::string_view::npos;
}

bool reads_a_script(std::string_view cmd) {
    while (!cmd.empty()) {
        const std::string_view word = cmd.substr(0, cmd.find_first_of(between_words));
        if (word == "." || word == "source" || word == "eval") {
            return true;
        }
        cmd.remove_prefix(std::min(word.size() + 1, cmd.size()));
    }
    return false;
}

} // namespace

std::optional<std::vector<std::string>> plain_words(std::string_view cmd) {
    if (!std::ranges::all_of(cmd, [](char c) { return is_plain(c) || is_blank(c); })) {
        return std::nullopt;
    }
    auto words = split(cmd);
    if (words.empty()) {
        return std::nullopt;
    }
    const bool assignment = words.front().find('=') != std::string::npos;
    if (assignment || std::ranges::find(taken_by_shells, words.front()) != taken_by_shells.end()) {
        return std::nullopt;
    }
    return words;
}

bool relies_on(std::string_view cmd, std::string_view variable) {
    bool found = false;
    for (auto at = cmd.find(variable); at != cmd.npos; at = cmd.find(variable, at + variable.size())) {
        const std::string_view before = cmd.substr(0, at);
        const std::string_view after = cmd.substr(at + variable.size());
        const bool longer =
            (!before.empty() && is_of_a_name(before.back())) || (!after.empty() && is_of_a_name(after.front()));
        if (longer) {
            continue;
        }
        if (before.ends_with('$')) {
            found = true;
        } else if (before.ends_with("${") || before.ends_with("${#")) {
            found = found || !knows_what_else(after);
        } else if (before.empty() || is_between_words(before.back())) {
            if (after.empty() || is_between_words(after.front()) || after.starts_with('=') || after.starts_with("+=")) {
                return false;
            }
        }
    }
    return found && !reads_a_script(cmd);
}

} // namespace finally_run::os
