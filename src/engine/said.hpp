// What a helper says on its stdout: one line each, `waiting TEXT`, `unclean TEXT`, `held TOKEN` and `done`.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace finally_run::engine {

struct Said {
    enum class What { waiting, unclean, held, done } what;
    std::string text = {}; // behind the word: foreign, but without a NUL or a newline

    bool operator==(const Said&) const = default;
};

// Takes the bytes as they come. Nothing is believed from the first thing on that is no line of the protocol: an empty
// line, an unknown word, a NUL, a line without an end, `held` twice, a token that is no single word.
class Hearing {
public:
    [[nodiscard]] std::vector<Said> hear(std::string_view bytes);

    // What was wrong; empty: nothing so far.
    [[nodiscard]] const std::string& breach() const { return m_breach; }

    static constexpr std::size_t longest_line = 4096; // bytes

private:
    void take(std::string_view line, std::vector<Said>& said);

    std::string m_line; // what has come of the one that has no end yet
    bool m_held = false;
    std::string m_breach;
};

} // namespace finally_run::engine
