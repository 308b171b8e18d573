#include "engine/said.hpp"

#include "text/visible.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace finally_run::engine {

namespace {

using What = Said::What;

constexpr std::array<std::pair<std::string_view, What>, 4> protocol{{
    {"waiting", What::waiting},
    {"unclean", What::unclean},
    {"held", What::held},
    {"done", What::done},
}};

bool is_one_word(std::string_view token) {
    return std::ranges::all_of(token, [](char c) { return c > ' ' && c < '\x7f'; });
}

} // namespace

void Hearing::take(std::string_view line, std::vector<Said>& said) {
    constexpr std::size_t shown = 60; // columns of what was wrong
    const auto blank = line.find(' ');
    const auto word = line.substr(0, blank);
    const auto text = blank == line.npos ? std::string_view() : line.substr(blank + 1);
    const auto* const known = std::ranges::find(protocol, word, &std::pair<std::string_view, What>::first);
    if (line.empty()) {
        m_breach = "an empty line";
    } else if (line.find('\0') != line.npos) {
        m_breach = "a NUL";
    } else if (known == protocol.end()) {
        m_breach = "unknown: " + text::visible(line, shown);
    } else if (known->second == What::held && std::exchange(m_held, true)) {
        m_breach = "held, for the second time";
    } else if (known->second == What::held && !is_one_word(text)) {
        m_breach = "a token that is no single word: " + text::visible(text, shown);
    } else {
        said.push_back({known->second, std::string(text)});
    }
}

std::vector<Said> Hearing::hear(std::string_view bytes) {
    std::vector<Said> said;
    while (m_breach.empty() && !bytes.empty()) {
        const auto end = bytes.find('\n');
        const auto part = bytes.substr(0, end);
        if (m_line.size() + part.size() > longest_line) {
            m_breach = "a line of more than " + std::to_string(longest_line) + " bytes";
            break;
        }
        m_line.append(part);
        if (end == bytes.npos) {
            break;
        }
        take(std::exchange(m_line, {}), said);
        bytes.remove_prefix(end + 1);
    }
    return said;
}

} // namespace finally_run::engine
