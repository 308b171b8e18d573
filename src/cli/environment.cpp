// Defaults from the environment: FINALLY_RUN_GRACE=30s is --grace 30s, unless the command line says otherwise.
#include "cli/environment.hpp"

#include "cli/action.hpp"
#include "cli/usage_error.hpp"
#include "cli/values.hpp"
#include "text/visible.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace finally_run::cli {

namespace {

constexpr std::string_view prefix = "FINALLY_RUN_";

struct Variable {
    std::string_view name; // without the prefix
    std::string_view value;
};

// One pass over the environment costs less than a search of it for each option.
std::vector<Variable> our_variables(char* const* environment) {
    std::vector<Variable> variables;
    for (; environment != nullptr && *environment != nullptr; ++environment) {
        const std::string_view entry = *environment;
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

void enter_defaults(plan::Plan& plan, const Scan& command_line, char* const* environment) {
    const auto variables = our_variables(environment);
    // A cleanup is told the run's signal in FINALLY_RUN_SIGNAL. For a run inside a cleanup that is news, not a default.
    const bool in_cleanup = std::ranges::find(variables, "RESULT", &Variable::name) != variables.end();

    const Option* const action = action_in(command_line);

    std::vector<Id> entered;
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
        const auto origin = variable_of(option);
        if (option.value.empty() && !is_true(found->value, origin)) {
            continue;
        }
        if (option.rival && std::ranges::find(entered, *option.rival) != entered.end()) {
            throw UsageError(origin + ": contradicts " + variable_of(option_of(*option.rival)) +
                             ": set only one of them");
        }
        enter(plan, option, found->value, origin);
        entered.push_back(option.id);
    }
}

} // namespace finally_run::cli
