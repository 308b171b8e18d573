// Does a CMD need a shell?
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

// Not special to any shell, wherever in a word it stands.
bool is_plain(char c) {
    constexpr std::string_view plain_punctuation = "%+,-./:=@_";
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool digit = c >= '0' && c <= '9';
    const bool not_ascii = static_cast<unsigned char>(c) >= 0x80;
    return letter || digit || not_ascii || plain_punctuation.find(c) != plain_punctuation.npos;
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

} // namespace finally_run::os
