// Picks the behaviour that was asked for.
#include "behaviours.hpp"

#include <cstdio>
#include <cstdlib>
#include <map>

namespace helper = finally_run::helper;

int main(int argc, char** argv) {
    const std::map<std::string, int (*)(const helper::Words&)> behaviours{
        {"print-signals", helper::print_signals},
        {"ignore", helper::ignore_signals},
        {"pause", helper::pause_only},
        {"outlive", helper::outlive},
        {"exit-on", helper::exit_on},
        {"relay", helper::relay},
        {"die-of", helper::die_of},
        {"stop-self", helper::stop_self},
        {"suspend-group", helper::suspend_group},
        {"print-signal-state", helper::print_signal_state},
        {"orphan", helper::orphan},
        {"daemon", helper::daemon},
        {"grandchild", helper::grandchild},
        {"headless", helper::headless},
        {"reaped", helper::reaped},
        {"survey", helper::survey},
        {"reaping-survey", helper::reaping_survey},
        {"print-ids", helper::print_ids},
        {"print-fds", helper::print_fds},
        {"count", helper::count},
        {"exit", [](const helper::Words& words) { return std::atoi(words.at(0).c_str()); }},
    };
    const helper::Words words(argv + 1, argv + argc);
    const auto found = words.empty() ? behaviours.end() : behaviours.find(words.front());
    if (found == behaviours.end()) {
        std::fprintf(stderr, "helper: no such behaviour\n");
        return 98;
    }
    return found->second({words.begin() + 1, words.end()});
}
