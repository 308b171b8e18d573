// The text of --help, made from the table of options.
#include "cli/help.hpp"

#include "cli/options.hpp"

namespace finally_run::cli {

namespace {

constexpr std::size_t meaning_column = 36;

constexpr std::string_view introduction =
    "Usage: finally-run [OPTION...] [--] COMMAND [ARG...]\n"
    "       finally-run --defer CMD | --status [--json] [--all-users] |\n"
    "       --recover [RUN...] | --stop RUN... | --forget RUN... | --help | --version\n"
    "Run COMMAND, then every cleanup, however COMMAND ends. Return its status.\n";

constexpr std::string_view conclusion =
    "\n"
    "CMD is a shell string. DURATION is like 10 (seconds), 250ms, 1.5m or 1h30m.\n"
    "FINALLY_RUN_GRACE=30s is a default for --grace, and so on. More: man finally-run\n"
    "Example: finally-run --lock deploy -c ./stop.sh -s ./start.sh -- make test\n";

std::string row(const Option& option) {
    std::string line = option.letter != '\0' ? std::string("  -") + option.letter + ", --" : std::string("      --");
    line += option.name;
    for (const auto follows : {option.value, option.words}) {
        if (!follows.empty()) {
            line += ' ';
            line += follows;
        }
    }
    if (line.size() + 1 > meaning_column) {
        line += '\n' + std::string(meaning_column, ' ');
    } else {
        line.resize(meaning_column, ' ');
    }
    line += option.meaning;
    return line + '\n';
}

} // namespace

std::string help_text() {
    std::string text(introduction);
    std::string_view group;
    for (const Option& option : all_options()) {
        if (option.group != group) {
            group = option.group;
            text += '\n' + std::string(group) + ":\n";
        }
        text += row(option);
    }
    return text += conclusion;
}

} // namespace finally_run::cli
