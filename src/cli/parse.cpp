// The command line and the environment become a plan, or what else is asked for.
#include "cli/parse.hpp"

#include "cli/action.hpp"
#include "cli/environment.hpp"
#include "cli/help.hpp"
#include "cli/scan.hpp"
#include "cli/values.hpp"

// CLI11 includes <iostream>, whose initialiser of eight streams would run at every start of the program: 0.1 ms and
// 100 KB for streams that nobody uses. With libstdc++ we say that the header has been read and declare the two names
// that CLI11 mentions, in functions that we do not call.
#include <istream>
#include <ostream>
#if defined(__GLIBCXX__) && !defined(_GLIBCXX_IOSTREAM)
#define _GLIBCXX_IOSTREAM 1 // NOLINT(bugprone-reserved-identifier)
namespace std {             // NOLINT(cert-dcl58-cpp)
extern ostream cout;
extern ostream cerr;
} // namespace std
#endif
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
void introduce(CLI::App& app, const Option& option, plan::Plan& plan) {
    const std::string name = long_form(option);
    // The values are taken as CLI11 got them: its conversions would read more into `[a,b]` and `%%` than is there.
    const auto take = [&plan, &option, name](const CLI::results_t& values) {
        enter(plan, option, values.front(), name);
        return true;
    };
    const int values = option.value.empty() ? 0 : 1;
    // Without the trigger only the last occurrence would be seen, and steps of different options lose their order.
    app.add_option(name, take)->type_size(values)->expected(values)->allow_extra_args(false)->trigger_on_parse();
}

void enter_options(plan::Plan& plan, const std::vector<Given>& given) {
    Parser app;
    std::vector<std::string> words;
    for (const auto& [option, value] : given) {
        const std::string name = long_form(*option);
        if (app.get_option_no_throw(name) == nullptr) {
            introduce(app, *option, plan);
        }
        words.push_back(name);
        if (!option->value.empty()) {
            words.emplace_back(value);
        }
    }
    std::ranges::reverse(words); // CLI11 takes a vector of words from its back
    try {
        app.parse(std::move(words));
    } catch (const CLI::Error& error) {
        throw UsageError(error.what());
    }
}

} // namespace

Request parse(std::span<char* const> argv, char* const* environment) {
    const auto words = argv.subspan(argv.empty() ? 0 : 1);
    const auto scanned = scan(words);
    if (contains(scanned, Id::help)) {
        return ShowHelp{help_text()};
    }
    if (contains(scanned, Id::version)) {
        return ShowVersion{};
    }
    if (const Option* const action = action_in(scanned)) {
        return std::visit([](auto asked) { return Request(std::move(asked)); },
                          read_action(*action, scanned, words, environment));
    }
    if (contains(scanned, Id::json)) {
        throw UsageError("--json: means nothing to a run: it goes with --status");
    }
    plan::Plan plan;
    enter_defaults(plan, scanned, environment);
    enter_options(plan, scanned.options);
    plan.command = words.subspan(scanned.command);
    if (plan.command.empty()) {
        throw UsageError(
            "missing command: usage is finally-run [OPTION...] [--] COMMAND [ARG...]; see finally-run --help");
    }
    return plan;
}

} // namespace finally_run::cli
