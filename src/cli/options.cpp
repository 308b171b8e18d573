// The options, in one table that feeds the parser, --help, the environment defaults and the tests.
#include "cli/options.hpp"

#include <algorithm>
#include <array>

namespace finally_run::cli {

namespace {

constexpr std::string_view cleanups = "Cleanups (the last one registered runs first)";
constexpr std::string_view services = "Services (stopped in their place among the cleanups)";
constexpr std::string_view locks = "Locks";
constexpr std::string_view limits = "Limits and processes";
constexpr std::string_view status = "State and status";
constexpr std::string_view output = "Output";

constexpr bool no_variable = false;

// clang-format off
constexpr auto table = std::to_array<Option>({
    {Id::cleanup, cleanups, 'c', "cleanup", "CMD", "run CMD at the end, whatever happens", no_variable},
    {Id::cleanup_anywhere, cleanups, '\0', "cleanup-anywhere", "CMD", "the same; first too, if the last holder left",
     no_variable},
    {Id::on_success, cleanups, '\0', "on-success", "CMD", "run CMD at the end if all went well", no_variable},
    {Id::on_failure, cleanups, '\0', "on-failure", "CMD", "run CMD at the end if it did not", no_variable},
    {Id::remove, cleanups, 'r', "remove", "PATH", "remove this file or tree at the end", no_variable},
    {Id::temp_dir, cleanups, '\0', "temp-dir", "VAR", "make a private directory, named by $VAR", no_variable},
    {Id::setup, cleanups, 's', "setup", "CMD", "run CMD now, before what follows", no_variable},

    {Id::service, services, '\0', "service", "CMD", "start CMD now, stop it at the end", no_variable},
    {Id::ready, services, '\0', "ready", "CHECK", "wait for it: tcp:PORT, unix:X, file:X, CMD", no_variable},
    {Id::ready_timeout, services, '\0', "ready-timeout", "DURATION", "limit on that wait [1m]"},
    {Id::service_exit, services, '\0', "service-exit", "report|stop", "if one ends while the command runs [report]"},

    {Id::lock, locks, 'l', "lock", "NAME", "take a lock; ENGINE:NAME: for all machines", no_variable},
    {Id::lock_shared, locks, '\0', "lock-shared", "NAME", "take it together with other sharers", no_variable},
    {Id::lock_ttl, locks, '\0', "lock-ttl", "DURATION", "an ENGINE frees it of a lost machine [30s]"},
    {Id::wait, locks, 'w', "wait", "DURATION", "wait this long for all the locks [for ever]", true, Id::no_wait},
    {Id::no_wait, locks, 'n', "no-wait", "", "do not wait for a lock", true, Id::wait},
    {Id::conflict_exit_code, locks, 'E', "conflict-exit-code", "N", "status if a lock cannot be had [75]"},

    {Id::timeout, limits, 't', "timeout", "DURATION", "stop the command after this [none]"},
    {Id::signal, limits, '\0', "signal", "SIG", "what stops it first [TERM]"},
    {Id::rewrite, limits, '\0', "rewrite", "FROM:TO", "pass signal FROM on as TO (0: drop it)"},
    {Id::preserve_status, limits, '\0', "preserve-status", "", "after a time limit, its own status, not 124"},
    {Id::grace, limits, 'k', "grace", "DURATION", "from the stop signal to SIGKILL [10s]"},
    {Id::cleanup_timeout, limits, '\0', "cleanup-timeout", "DURATION", "limit on each cleanup [none]"},
    {Id::cleanup_retries, limits, '\0', "cleanup-retries", "N", "try a failed cleanup again [0]"},
    {Id::orphans, limits, '\0', "orphans", "leave|wait|kill", "processes left behind [leave]"},
    {Id::stop_with_caller, limits, '\0', "stop-with-caller", "auto|always|never",
     "stop when our caller is gone [auto]"},

    {Id::state_dir, status, '\0', "state-dir", "DIR", "where locks and unfinished runs live"},
    {Id::keep_env, status, '\0', "keep-env", "PATTERNS", "secrets to store too for recovery; or none"},
    {Id::durable, status, '\0', "durable", "", "survive a power loss, at the cost of time"},
    {Id::strict, status, '\0', "strict", "", "a failed cleanup makes success status 120"},
    {Id::failed_cleanups, status, '\0', "failed-cleanups", "keep|drop", "what becomes of them [keep]"},
    {Id::dry_run, status, '\0', "dry-run", "", "say what would happen, and do nothing"},
    {Id::defer, status, '\0', "defer", "CMD", "inside a run: register one more cleanup", no_variable},
    {Id::status, status, '\0', "status", "", "show runs and locks", no_variable},
    {Id::json, status, '\0', "json", "", "with --status: for programs", no_variable},
    {Id::all_users, status, '\0', "all-users", "", "with --status, as root: of every user", no_variable},
    {Id::recover, status, '\0', "recover", "", "finish dead runs, all or these", no_variable, {}, "[RUN...]"},
    {Id::stop, status, '\0', "stop", "", "end live runs, or the cleanup that hangs", no_variable, {}, "RUN..."},
    {Id::forget, status, '\0', "forget", "", "drop dead runs, cleanups and all", no_variable, {}, "RUN..."},

    {Id::report, output, '\0', "report", "FILE", "write a JSON report at the end"},
    {Id::ci, output, '\0', "ci", "auto|github|gitlab|none", "whose log format to use [auto]"},
    {Id::quiet, output, 'q', "quiet", "", "say less", true, Id::verbose},
    {Id::verbose, output, 'v', "verbose", "", "say more", true, Id::quiet},
    {Id::help, output, 'h', "help", "", "show this help", no_variable},
    {Id::version, output, '\0', "version", "", "show the version", no_variable},
});
// clang-format on

constexpr bool is_indexed_by_id() {
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (table[i].id != static_cast<Id>(i)) {
            return false;
        }
    }
    return true;
}
static_assert(is_indexed_by_id());

} // namespace

std::span<const Option> all_options() { return table; }

const Option& option_of(Id id) { return table[static_cast<std::size_t>(id)]; }

const Option* find_by_name(std::string_view name) {
    const auto* const found = std::ranges::find(table, name, &Option::name);
    return found == table.end() ? nullptr : found;
}

const Option* find_by_letter(char letter) {
    const auto* const found = std::ranges::find(table, letter, &Option::letter);
    return letter == '\0' || found == table.end() ? nullptr : found;
}

std::string long_form(const Option& option) { return "--" + std::string(option.name); }

std::string variable_of(const Option& option) {
    std::string name = "FINALLY_RUN_";
    for (const char c : option.name) {
        name += c == '-' ? '_' : static_cast<char>(c - 'a' + 'A');
    }
    return name;
}

} // namespace finally_run::cli
