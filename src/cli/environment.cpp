// Defaults from the environment: FINALLY_RUN_GRACE=30s is --grace 30s, unless the command line says otherwise.
#include "cli/environment.hpp"

#include "cli/action.hpp"
#include "cli/usage_error.hpp"
#include "text/visible.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <sys/auxv.h>
#include <unistd.h>

namespace finally_run::cli {

namespace {

constexpr std::string_view prefix = "FINALLY_RUN_";

struct Variable {
    std::string_view name; // without the prefix
    std::string_view value;
};

// One pass over the environment costs less than a search of it for each option.
std::vector<Variable> our_variables() {
    std::vector<Variable> variables;
    if (::getauxval(AT_SECURE) != 0) { // as secure_getenv(3) has it: whoever started us has fewer rights than we have
        return variables;
    }
    for (char** next = environ; next != nullptr && *next != nullptr; ++next) {
        const std::string_view entry = *next;
        const auto equals = entry.find('=');
        if (entry.starts_with(prefix) && equals != entry.npos) {
            variables.push_back({entry.substr(prefix.size(), equals - prefix.size()), entry.substr(equals + 1)});
        }
    }
    return variables;
}

bool is_name_of(const Variable& variable, const Option& option) {
    const auto same = [](char upper, char lower) {
        return lower == '-' ? upper == '_' : upper == static_cast<char>(lower - 'a' + 'A');
    };
    return std::ranges::equal(variable.name, option.name, same);
}

bool is_true(std::string_view value, const std::string& origin) {
    constexpr auto yes = std::to_array<std::string_view>({"1", "true", "yes", "on"});
    constexpr auto no = std::to_array<std::string_view>({"0", "false", "no", "off"});
    if (std::ranges::find(yes, value) != yes.end()) {
        return true;
    }
    if (std::ranges::find(no, value) != no.end()) {
        return false;
    }
    throw UsageError(origin + ": " + text::visible(value, word_limit) +
                     ": it takes 1, true, yes, on, 0, false, no or off");
}

} // namespace

std::vector<const Option*> defaults_for(const Scan& command_line) {
    const Option* const action = action_in(command_line);
    if (action != nullptr && action->id == Id::defer) {
        return {}; // a run may do this thousands of times, and no default changes what it does
    }
    const auto variables = our_variables();
    // A cleanup is told the run's signal in FINALLY_RUN_SIGNAL. For a run inside a cleanup that is news, not a default.
    const bool in_cleanup = std::ranges::find(variables, "RESULT", &Variable::name) != variables.end();

    std::vector<const Option*> defaults;
    for (const Option& option : all_options()) {
        const bool overruled =
            contains(command_line, option.id) || (option.rival && contains(command_line, *option.rival));
        const bool means_nothing = action != nullptr && !goes_with(option, *action);
        if (!option.has_variable || overruled || means_nothing || (option.id == Id::signal && in_cleanup)) {
            continue;
        }
        const auto found = std::ranges::find_if(variables, [&](const Variable& v) { return is_name_of(v, option); });
        if (found == variables.end() || found->value.empty()) {
            continue;
        }
        if (option.value.empty() && !is_true(found->value, variable_of(option))) {
            continue;
        }
        if (option.rival && std::ranges::find(defaults, &option_of(*option.rival)) != defaults.end()) {
            throw UsageError(variable_of(option) + ": contradicts " + variable_of(option_of(*option.rival)) +
                             ": set only one of them");
        }
        defaults.push_back(&option);
    }
    return defaults;
}

std::vector<std::string> variables_of_no_option() {
    // What a run sets for its command and its cleanups.
    constexpr auto ours =
        std::to_array<std::string_view>({"ID", "JOURNAL", "RESULT", "EXIT_CODE", "SIGNAL", "BY", "LOCK", "LOCK_TOKEN"});
    std::vector<std::string> names;
    for (const Variable& variable : our_variables()) {
        const bool is_default = std::ranges::any_of(
            all_options(), [&](const Option& option) { return option.has_variable && is_name_of(variable, option); });
        if (!is_default && std::ranges::find(ours, variable.name) == ours.end()) {
            names.push_back(std::string(prefix).append(variable.name));
        }
    }
    std::ranges::sort(names);
    return names;
}

} // namespace finally_run::cli
