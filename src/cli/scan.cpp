// Where do the options end, and which ones stand there?
//
// CLI11 cannot be asked: a typo of an option would become the command, and `[a,b]` in the command two words.
#include "cli/scan.hpp"

#include "cli/suggest.hpp"
#include "cli/usage_error.hpp"
#include "text/visible.hpp"

#include <algorithm>

namespace finally_run::cli {

namespace {

[[noreturn]] void refuse_unknown(const std::string& shown, std::string_view name) {
    const Option* const nearest = nearest_option(name);
    throw UsageError("unknown option: " + shown + ": " +
                     (nearest != nullptr ? "did you mean " + long_form(*nearest) + "?" : "see finally-run --help"));
}

bool overrules_all(const Option& option) { return option.id == Id::help || option.id == Id::version; }

// Both return whether the value of the last option is the next word.
bool scan_long(std::string_view word, Scan& result) {
    const auto equals = word.find('=');
    const auto name = word.substr(2, equals == word.npos ? word.npos : equals - 2);
    const Option* const option = find_by_name(name);
    if (option == nullptr) {
        refuse_unknown("--" + text::visible(name, word_limit), name);
    }
    if (option->value.empty() && equals != word.npos) {
        throw UsageError(long_form(*option) + ": takes no value: " + text::visible(word, word_limit));
    }
    result.options.push_back(option);
    if (equals != word.npos && equals + 1 == word.size()) { // CLI11 would take the next word for its value
        result.words.emplace_back(word.substr(0, equals));
        result.words.emplace_back();
        return false;
    }
    result.words.emplace_back(word);
    return !option->value.empty() && equals == word.npos;
}

// `-q`, `-cCMD`, `-c CMD`, and any number of flags before it, as in `-qnc CMD`.
bool scan_short(std::string_view word, Scan& result) {
    result.words.emplace_back(word);
    for (std::size_t i = 1; i < word.size(); ++i) {
        const Option* const option = find_by_letter(word[i]);
        if (option == nullptr) {
            refuse_unknown(text::visible(word, word_limit), word.substr(1));
        }
        result.options.push_back(option);
        if (overrules_all(*option)) {
            return false;
        }
        if (!option->value.empty()) {
            return i + 1 == word.size();
        }
    }
    return false;
}

void refuse_contradictions(const Scan& scan) {
    for (const Option* const option : scan.options) {
        if (option->rival && contains(scan, *option->rival)) {
            throw UsageError(long_form(*option) + ": contradicts " + long_form(option_of(*option->rival)) +
                             ": give only one of them");
        }
    }
}

} // namespace

Scan scan(std::span<char* const> argv) {
    Scan result;
    std::size_t next = 0;
    bool takes_runs = false;
    while (next < argv.size()) {
        const std::string_view word = argv[next];
        if (word.size() < 2 || word.front() != '-') {
            if (!takes_runs) {
                break;
            }
            result.runs.push_back(word);
            ++next;
            continue;
        }
        ++next;
        if (word == "--") {
            break;
        }
        const bool value_follows = word.starts_with("--") ? scan_long(word, result) : scan_short(word, result);
        const Option& last = *result.options.back();
        if (overrules_all(last)) {
            return result;
        }
        if (value_follows && next < argv.size()) {
            result.words.emplace_back(argv[next++]);
        }
        takes_runs = takes_runs || !last.words.empty();
    }
    while (takes_runs && next < argv.size()) {
        result.runs.emplace_back(argv[next++]);
    }
    refuse_contradictions(result);
    result.command = next;
    return result;
}

bool contains(const Scan& scan, Id id) { return std::ranges::find(scan.options, &option_of(id)) != scan.options.end(); }

} // namespace finally_run::cli
