#include "run/kept_environment.hpp"

#include "os/ci.hpp"
#include "os/environment.hpp"

#include <algorithm>
#include <array>
#include <fnmatch.h>
#include <string_view>
#include <sys/auxv.h>

namespace finally_run::run {

namespace {

constexpr auto needed_by_all =
    std::to_array<std::string_view>({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR",
                                     // what a cleanup locks by name is to be the same lock
                                     "FINALLY_RUN_STATE_DIR"});

constexpr auto of_terminal_or_shell = std::to_array<std::string_view>(
    {"TERM", "TERMCAP", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "COLORTERM", "COLUMNS", "LINES", "DISPLAY",
     "WAYLAND_DISPLAY", "WINDOWID", "SSH_TTY", "GPG_TTY", "STY", "TMUX", "TMUX_PANE", "SHLVL", "OLDPWD", "_"});

// In capitals; the manual lists them.
constexpr auto in_names_of_secrets = std::to_array<std::string_view>(
    {"TOKEN", "SECRET", "PASSW", "PASSPHRASE", "CREDENTIAL", "APIKEY", "API_KEY", "PRIVATE_KEY", "COOKIE"});
constexpr auto at_their_ends = std::to_array<std::string_view>({"_KEY", "_PASS", "_PWD", "_PAT"});

bool is_needed_by_all(std::string_view name) {
    return name.starts_with("LC_") || name.starts_with("XDG_") ||
           std::ranges::find(needed_by_all, name) != needed_by_all.end();
}

bool is_secret(std::string_view name) {
    std::string capitals(name);
    std::ranges::transform(capitals, capitals.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    return std::ranges::any_of(in_names_of_secrets, [&](auto part) { return capitals.find(part) != capitals.npos; }) ||
           std::ranges::any_of(at_their_ends, [&](auto end) { return capitals.ends_with(end); });
}

bool matches(std::string_view name, const std::vector<std::string>& patterns) {
    return std::ranges::any_of(patterns, [&](const std::string& pattern) {
        return ::fnmatch(pattern.c_str(), std::string(name).c_str(), 0) == 0;
    });
}

} // namespace

KeptEnvironment kept_environment(char* const* environment, const std::vector<std::string>& patterns) {
    const bool secure = ::getauxval(AT_SECURE) != 0;
    const bool none = secure || std::ranges::find(patterns, "none") != patterns.end();
    KeptEnvironment kept;
    kept.entries.reserve(os::count_entries(environment));
    for (; *environment != nullptr; ++environment) {
        const std::string_view entry = *environment;
        const std::string_view name = entry.substr(0, entry.find('='));
        // One that we do not read ourselves is not for who recovers either: see os::variable.
        const bool is_void = secure && name.starts_with("FINALLY_RUN_");
        if (name.empty() || is_void || name.size() == entry.size() ||
            std::ranges::find(os::leftover_markers, name) != os::leftover_markers.end()) {
            continue;
        }
        const bool asked_for = is_needed_by_all(name) || matches(name, patterns);
        if (!asked_for && is_secret(name)) {
            kept.withheld.emplace_back(name);
        } else if (asked_for ||
                   (!none && std::ranges::find(of_terminal_or_shell, name) == of_terminal_or_shell.end())) {
            kept.entries.emplace_back(entry);
        }
    }
    return kept;
}

} // namespace finally_run::run
