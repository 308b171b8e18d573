// Where does the command begin, and which options stand before it?
//
// CLI11 cannot be asked: a typo of an option would become the command, and `[a,b]` two words.
#include "cli/scan.hpp"

#include "cli/suggest.hpp"
#include "cli/usage_error.hpp"
#include "text/visible.hpp"

#include <algorithm>
#include <string>

namespace finally_run::cli {

namespace {

[[noreturn]] void refuse_unknown(const std::string& shown, std::string_view name) {
    const Option* const nearest = nearest_option(name);
    throw UsageError("unknown option: " + shown + ": " +
                     (nearest != nullptr ? "did you mean " + long_form(*nearest) + "?" : "see finally-run --help"));
}

// The words not yet scanned.
class Words {
public:
    explicit Words(std::span<char* const> words) : m_words(words) {}

    bool at_end() const { return m_next == m_words.size(); }
    std::size_t index() const { return m_next; }
    std::string_view peek() const { return m_words[m_next]; }
    std::string_view take() { return m_words[m_next++]; }

    std::string_view take_value_of(const Option& option) {
        if (at_end()) {
            throw UsageError(long_form(option) + ": no value given: it takes " + std::string(option.value));
        }
        return take();
    }

private:
    std::span<char* const> m_words;
    std::size_t m_next = 0;
};

Given scan_long(std::string_view word, Words& rest) {
    const auto equals = word.find('=');
    const auto name = word.substr(2, equals == word.npos ? word.npos : equals - 2);
    const Option* const option = find_by_name(name);
    if (option == nullptr) {
        refuse_unknown("--" + text::visible(name, word_limit), name);
    }
    if (option->value.empty()) {
        if (equals != word.npos) {
            throw UsageError(long_form(*option) + ": takes no value: " + text::visible(word, word_limit));
        }
        return {option, {}};
    }
    return {option, equals == word.npos ? rest.take_value_of(*option) : word.substr(equals + 1)};
}

// `-q`, `-cCMD`, `-c CMD`, and any number of flags before it, as in `-qnc CMD`.
void scan_short(std::string_view word, Words& rest, std::vector<Given>& options) {
    for (std::size_t i = 1; i < word.size(); ++i) {
        const Option* const option = find_by_letter(word[i]);
        if (option == nullptr) {
            refuse_unknown(text::visible(word, word_limit), word.substr(1));
        }
        if (!option->value.empty()) {
            const auto glued = word.substr(i + 1);
            options.push_back({option, glued.empty() ? rest.take_value_of(*option) : glued});
            return;
        }
        options.push_back({option, {}});
    }
}

void refuse_contradictions(const Scan& scan) {
    for (const auto& [option, value] : scan.options) {
        if (option->rival && contains(scan, *option->rival)) {
            throw UsageError(long_form(*option) + ": contradicts " + long_form(option_of(*option->rival)) +
                             ": give only one of them");
        }
    }
}

} // namespace

Scan scan(std::span<char* const> argv) {
    Scan result;
    Words words(argv);
    bool takes_runs = false;
    while (!words.at_end()) {
        const auto word = words.peek();
        if (word.size() < 2 || word.front() != '-') {
            if (!takes_runs) {
                break;
            }
            result.runs.push_back(words.take());
            continue;
        }
        words.take();
        if (word == "--") {
            break;
        }
        if (!word.starts_with("--")) {
            scan_short(word, words, result.options);
            continue;
        }
        result.options.push_back(scan_long(word, words));
        const Option& option = *result.options.back().option;
        if (option.id == Id::help || option.id == Id::version) {
            return result;
        }
        takes_runs = takes_runs || !option.words.empty();
    }
    while (takes_runs && !words.at_end()) {
        result.runs.push_back(words.take());
    }
    refuse_contradictions(result);
    result.command = words.index();
    return result;
}

bool contains(const Scan& scan, Id id) {
    return std::ranges::any_of(scan.options, [id](const Given& given) { return given.option->id == id; });
}

} // namespace finally_run::cli
