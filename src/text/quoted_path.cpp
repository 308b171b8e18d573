// Paths that a person pastes into a shell.
#include "text/quoted_path.hpp"

#include "text/visible.hpp"

namespace finally_run::text {

namespace {

constexpr std::string_view plain =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-"; // nothing to any shell

std::string in_quotes(std::string_view path) {
    std::string word = "'";
    for (const char c : path) {
        word += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return word += '\'';
}

// The octal escapes are those of printf(1) in POSIX; $'...' is not known to dash.
std::string by_printf(std::string_view path) {
    std::string word = "\"$(printf '";
    for (const char c : path) {
        if (c == '%') {
            word += "%%";
        } else if (plain.find(c) != plain.npos || c == ' ') {
            word += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            word += '\\';
            word += static_cast<char>('0' + (byte >> 6U));
            word += static_cast<char>('0' + (byte >> 3U & 7U));
            word += static_cast<char>('0' + (byte & 7U));
        }
    }
    return word += path.ends_with('\n') ? "/')\"" : "')\"";
}

} // namespace

std::string quoted_path(std::string_view path) {
    if (!path.empty() && path.find_first_not_of(plain) == path.npos) {
        return std::string(path);
    }
    const bool survives_a_message = visible(path, path.size()) == path && path.find("##") == path.npos;
    return survives_a_message ? in_quotes(path) : by_printf(path);
}

} // namespace finally_run::text
