#include "report/messages.hpp"

#include "os/terminal.hpp"
#include "os/variables.hpp"
#include "os/write_all.hpp"
#include "report/text.hpp"
#include "text/visible.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>

namespace finally_run::report {

namespace {

constexpr std::string_view prefix = "finally-run:";
constexpr std::string_view clear_line = "\r\x1b[K";
constexpr std::chrono::seconds patience(1);
constexpr std::size_t usual_columns = 80; // of a terminal that does not say
constexpr std::size_t part_limit = 200;
constexpr std::size_t reason_limit = 1000; // names a holder: run, pid, command, since when, job URL

// NO_COLOR is set (no-color.org: to anything but nothing).
bool colour_forbidden() { return !os::variable("NO_COLOR").empty(); }

// A line that wraps cannot be taken back with \r. Without a locale the width of a character is a guess: two columns for
// all that takes three bytes or more, which is never too little.
std::string fitted(std::string text, std::size_t columns) {
    std::size_t used = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const auto byte = static_cast<unsigned char>(text[at]);
        if ((byte & 0xC0U) == 0x80U) {
            continue;
        }
        used += byte >= 0xE0U ? 2 : 1;
        if (used >= columns) {
            text.resize(at);
            break;
        }
    }
    return text;
}

} // namespace

std::string text_of(const Line& line) {
    std::string text(prefix);
    std::string_view separator = " ";
    const auto append = [&](std::string_view part, std::size_t limit) {
        if (!part.empty()) {
            text += separator;
            text += text::visible(part, limit);
            separator = ": ";
        }
    };
    append(line.what, part_limit);
    append(line.object, part_limit);
    append(line.reason, reason_limit);
    return defused(std::move(text));
}

Messages::Messages(plan::Verbosity verbosity, int descriptor) : m_verbosity(verbosity), m_descriptor(descriptor) {
    const std::string_view terminal = os::variable("TERM");
    m_terminal = isatty(descriptor) == 1 && !terminal.empty() && terminal != "dumb";
    m_colour = m_terminal && !colour_forbidden();
}

void Messages::error(std::string_view what, std::string_view object, std::string_view reason) noexcept {
    say({what, object, reason}, Style::error);
}

void Messages::note(std::string_view what, std::string_view object, std::string_view reason) noexcept {
    if (m_verbosity != plan::Verbosity::quiet) {
        say({what, object, reason}, Style::note);
    }
}

void Messages::detail(std::string_view what, std::string_view object, std::string_view reason) noexcept {
    if (m_verbosity == plan::Verbosity::verbose) {
        say({what, object, reason}, Style::plain);
    }
}

Messages::Said Messages::transient(std::string_view what, std::string_view object, std::string_view reason) noexcept {
    if (m_verbosity == plan::Verbosity::quiet) {
        return Said::nothing;
    }
    try {
        if (m_terminal && os::has_terminal_to_itself(m_descriptor)) {
            write(fitted(text_of({what, object, reason}), columns_of(m_descriptor, usual_columns)));
            m_shown = true;
            return Said::in_place;
        }
    } catch (...) { // out of memory: the line is dropped like one that cannot be written
        return Said::as_a_line;
    }
    say({what, object, reason}, Style::note);
    return Said::as_a_line;
}

std::optional<std::size_t> Messages::columns() const {
    return isatty(m_descriptor) == 1 ? std::optional(columns_of(m_descriptor, usual_columns)) : std::nullopt;
}

void Messages::raw(std::string_view bytes) noexcept {
    try {
        write(std::string(bytes));
    } catch (...) { // see transient()
    }
}

void Messages::say(const Line& line, Style style) noexcept {
    try {
        write(decorated(line, style) + '\n');
    } catch (...) { // see transient()
    }
}

void Messages::write(std::string bytes) noexcept {
    const int saved = errno;
    if (m_shown) {
        bytes.insert(0, clear_line);
        m_shown = false;
    }
    const int error = os::write_all(m_descriptor, bytes, m_stuck ? std::chrono::seconds(0) : patience);
    m_stuck = error == ETIMEDOUT;
    errno = saved;
}

std::string Messages::decorated(const Line& line, Style style) const {
    std::string text = text_of(line);
    if (m_colour && style != Style::plain) {
        text.insert(prefix.size(), "\x1b[0m");
        text.insert(0, style == Style::error ? "\x1b[1;31m" : "\x1b[1m");
    }
    return text;
}

} // namespace finally_run::report
