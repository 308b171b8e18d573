// What finally-run says on stderr: one line per message, and one line that is kept up to date while waiting.
#pragma once

#include "plan/plan.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>

namespace finally_run::report {

// The three parts of `<what>: <object>: <reason>`. Callers pass foreign text raw: it is escaped here, once.
struct Line {
    std::string_view what;
    std::string_view object = {};
    std::string_view reason = {};
};

// "finally-run: what: object: reason" without an end of line; empty parts are left out with their colon. Control
// characters are made visible, and long parts are cut, so that the line fits one atomic write to a pipe.
[[nodiscard]] std::string text_of(const Line& line);

// A message that cannot be written (closed, broken or full stderr) is dropped: it changes nothing. Nothing here throws,
// and a reader that takes nothing costs one second in all, not one per message. Needs SIGPIPE blocked or ignored.
class Messages {
public:
    // Writes to `descriptor`, which stays the caller's.
    explicit Messages(plan::Verbosity verbosity, int descriptor = STDERR_FILENO);

    // Said always.
    void error(std::string_view what, std::string_view object = {}, std::string_view reason = {}) noexcept;
    // Said unless quiet.
    void note(std::string_view what, std::string_view object = {}, std::string_view reason = {}) noexcept;
    // Said if verbose.
    void detail(std::string_view what, std::string_view object = {}, std::string_view reason = {}) noexcept;

    // On a terminal that nobody else writes to meanwhile, a line that the next call replaces; elsewhere an ordinary
    // one. Said unless quiet.
    enum class Said { nothing, as_a_line, in_place };
    Said transient(std::string_view what, std::string_view object = {}, std::string_view reason = {}) noexcept;
    // Takes the line off the terminal: what it said no longer holds.
    void finish_transient() noexcept { raw({}); }

    // Of the terminal, that a line need not wrap; nullopt: there is none.
    [[nodiscard]] std::optional<std::size_t> columns() const;

    [[nodiscard]] bool has_colour() const { return m_colour; }

    // Bytes as they are, for a CI log's own marks: the caller has escaped them.
    void raw(std::string_view bytes) noexcept;

private:
    enum class Style { plain, note, error };

    void say(const Line& line, Style style) noexcept;
    void write(std::string bytes) noexcept;
    [[nodiscard]] std::string decorated(const Line& line, Style style) const;

    plan::Verbosity m_verbosity;
    int m_descriptor;
    bool m_terminal; // one that understands escape sequences
    bool m_colour;
    bool m_stuck = false; // the reader took nothing for a second: wait for it no more
    bool m_shown = false; // a transient line stands on the terminal now
};

} // namespace finally_run::report
