// The command line and the environment become a plan, or what else is asked for.
//
// CLI11 takes the words of the options apart, gives each its value and reads the variables. Two things are not left to
// it. Types: its numbers take " 1" and "+1", and "010" for 8. And `excludes`: it would name options where variables
// clash.
//
// Its headers include <iostream>, whose initialiser runs at every start. In the static program that is 2 page faults
// of a run's 210, 45,000 instructions and no system call, so it is left alone.
#include "cli/parse.hpp"

#include "cli/action.hpp"
#include "cli/environment.hpp"
#include "cli/help.hpp"
#include "cli/scan.hpp"
#include "cli/values.hpp"
#include "text/visible.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <utility>

namespace finally_run::cli {

namespace {

// Without the -h of CLI::App's public constructors, which would be made only to be thrown away.
class Parser : public CLI::App {
public:
    Parser() : App("", "", nullptr) {}
};

// CLI11 compares every new option with all before it: it gets to know the options that are there and no others.
// `origin`: where the value stands, for messages.
CLI::Option& introduce(CLI::App& app, const Option& option, const std::string& origin, Values& values) {
    const auto take = [&values, &option, origin](const CLI::results_t& given) {
        enter(values, option, given.front(), origin);
        return true;
    };
    const std::string forms =
        option.letter != '\0' ? std::string("-") + option.letter + ',' + long_form(option) : long_form(option);
    const int count = option.value.empty() ? 0 : 1;
    // Without the trigger only the last occurrence would be seen, and steps of different options lose their order.
    // With extra arguments allowed `[a,b]` would be two values.
    return *app.add_option(forms, take)->type_size(count)->expected(count)->allow_extra_args(false)->trigger_on_parse();
}

Values read_values(const Scan& scan, const std::vector<const Option*>& defaults) {
    Values values;
    if (scan.options.empty() && defaults.empty()) {
        return values;
    }
    Parser app;
    for (const Option* const option : scan.options) {
        const std::string name = long_form(*option);
        if (app.get_option_no_throw(name) == nullptr) {
            introduce(app, *option, name, values);
        }
    }
    for (const Option* const option : defaults) {
        const std::string variable = variable_of(*option);
        introduce(app, *option, variable, values).envname(variable);
    }
    try {
        app.parse(std::vector<std::string>(scan.words.rbegin(), scan.words.rend())); // it takes them from the back
    } catch (const CLI::ArgumentMismatch&) {
        const Option& last = *scan.options.back(); // no other can be without its value
        throw UsageError(long_form(last) + ": no value given: it takes " + std::string(last.value));
    } catch (const CLI::Error& error) {
        throw UsageError(text::visible(error.what()));
    }
    return values;
}

} // namespace

Request parse(std::span<char* const> argv) {
    const auto words = argv.subspan(argv.empty() ? 0 : 1);
    const auto scanned = scan(words);
    if (contains(scanned, Id::help)) {
        return ShowHelp{help_text()};
    }
    if (contains(scanned, Id::version)) {
        return ShowVersion{};
    }
    const Option* const action = action_in(scanned);
    if (action != nullptr) {
        refuse_what_does_not_go_with(*action, scanned, words);
        return std::visit([](auto asked) { return Request(std::move(asked)); },
                          action_of(*action, scanned, read_values(scanned, defaults_for(scanned))));
    }
    for (const Id id : {Id::json, Id::all_users}) {
        if (contains(scanned, id)) {
            throw UsageError(long_form(option_of(id)) + ": means nothing to a run: it goes with --status");
        }
    }
    plan::Plan plan = read_values(scanned, defaults_for(scanned)).plan;
    plan.command = words.subspan(scanned.command);
    if (plan.verbosity == plan::Verbosity::verbose) {
        plan.strange_variables = variables_of_no_option();
    }
    if (plan.command.empty()) {
        throw UsageError(
            "missing command: usage is finally-run [OPTION...] [--] COMMAND [ARG...]; see finally-run --help");
    }
    return plan;
}

} // namespace finally_run::cli
