// Foreign text in a line of a terminal or a log.
#include "report/text.hpp"

#include "text/visible.hpp"

#include <algorithm>
#include <fmt/core.h>
#include <sys/ioctl.h>

namespace finally_run::report {

namespace {

constexpr std::string_view ellipsis = "...";
constexpr std::size_t longest_shown = 20000; // more than any path takes (PATH_MAX), all of its bytes as \xNN

unsigned char byte_at(std::string_view text, std::size_t index) { return static_cast<unsigned char>(text[index]); }

bool continues_character(unsigned char byte) { return (byte & 0xC0U) == 0x80U; }

// What begins with these bytes is mostly East Asian or an emoji; what is below U+3000, mostly not.
std::size_t width_of_character(unsigned char first) { return first >= 0xE3 ? 2 : 1; }

} // namespace

std::string defused(std::string text) {
    for (const std::string_view mark : {"##[", "##vso["}) {
        for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
            text.replace(at + 1, 1, "\\x23");
        }
    }
    return text;
}

std::size_t width_of(std::string_view text) {
    std::size_t width = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        width += continues_character(byte_at(text, at)) ? 0 : width_of_character(byte_at(text, at));
    }
    return width;
}

std::string beginning_of(std::string_view text, std::size_t columns) {
    if (width_of(text) <= columns) {
        return std::string(text);
    }
    if (columns <= ellipsis.size()) {
        return std::string(ellipsis.substr(0, columns));
    }
    std::size_t room = columns - ellipsis.size();
    std::size_t end = 0;
    for (; end < text.size(); ++end) {
        if (!continues_character(byte_at(text, end))) {
            const std::size_t width = width_of_character(byte_at(text, end));
            if (width > room) {
                break;
            }
            room -= width;
        }
    }
    return std::string(text.substr(0, end)).append(ellipsis);
}

std::string end_of(std::string_view text, std::size_t columns) {
    if (width_of(text) <= columns) {
        return std::string(text);
    }
    if (columns <= ellipsis.size()) {
        return std::string(ellipsis.substr(0, columns));
    }
    std::size_t room = columns - ellipsis.size();
    std::size_t begin = text.size();
    for (std::size_t at = text.size(); at > 0; --at) {
        if (!continues_character(byte_at(text, at - 1))) {
            const std::size_t width = width_of_character(byte_at(text, at - 1));
            if (width > room) {
                break;
            }
            room -= width;
            begin = at - 1;
        }
    }
    const std::size_t slash = text.find('/', begin);
    const bool splits = slash != std::string_view::npos && slash + 1 < text.size();
    return std::string(ellipsis).append(text.substr(splits ? slash : begin));
}

std::string shown(std::string_view text) { return defused(text::visible(text, longest_shown)); }

std::string shown_within(std::string_view text, std::size_t columns) {
    // No character has more than four bytes, so that what is cut here is too long anyway.
    return beginning_of(defused(text::visible(text, 4 * columns)), columns);
}

std::string listed(const std::vector<std::string>& texts) {
    std::string list;
    for (const std::string& text : texts) {
        list.append(list.empty() ? "" : ", ").append(text);
    }
    return list;
}

std::string age_text(text::Duration age) {
    const auto seconds = std::max<long long>(std::chrono::floor<std::chrono::seconds>(age).count(), 0);
    if (seconds < 60) {
        return fmt::format("{}s", seconds);
    }
    if (seconds < 3600) {
        return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
    }
    if (seconds < 86400) {
        return fmt::format("{}h{:02}m", seconds / 3600, seconds % 3600 / 60);
    }
    return fmt::format("{}d{:02}h", seconds / 86400, seconds % 86400 / 3600);
}

std::size_t columns_of(int descriptor, std::size_t otherwise) {
    winsize size{};
    return ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : otherwise;
}

} // namespace finally_run::report
