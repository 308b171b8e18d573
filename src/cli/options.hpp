// The options, in one table that feeds the parser, --help, the environment defaults and the tests.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace finally_run::cli {

enum class Id {
    cleanup,
    cleanup_anywhere,
    on_success,
    on_failure,
    remove,
    temp_dir,
    setup,
    service,
    ready,
    ready_timeout,
    service_exit,
    lock,
    lock_shared,
    lock_ttl,
    wait,
    no_wait,
    conflict_exit_code,
    timeout,
    signal,
    rewrite,
    preserve_status,
    grace,
    cleanup_timeout,
    cleanup_retries,
    orphans,
    stop_with_caller,
    state_dir,
    keep_env,
    durable,
    strict,
    failed_cleanups,
    dry_run,
    defer,
    status,
    json,
    all_users,
    recover,
    stop,
    forget,
    report,
    ci,
    quiet,
    verbose,
    help,
    version,
};

struct Option {
    Id id;
    std::string_view group;       // its heading in --help
    char letter;                  // the short form; '\0': none
    std::string_view name;        // the long form, without its dashes
    std::string_view value;       // what it takes, as help shows it; choices are "this|that"; empty: nothing
    std::string_view meaning;     // one line of help
    bool has_variable = true;     // FINALLY_RUN_NAME is its default
    std::optional<Id> rival = {}; // the option that contradicts it
    std::string_view words = {};  // what may follow it besides options, as help shows it; empty: nothing
};

// In the order of --help.
[[nodiscard]] std::span<const Option> all_options();

[[nodiscard]] const Option& option_of(Id id);

// nullptr if there is none.
[[nodiscard]] const Option* find_by_name(std::string_view name);
[[nodiscard]] const Option* find_by_letter(char letter);

// "--state-dir"
[[nodiscard]] std::string long_form(const Option& option);

// "FINALLY_RUN_STATE_DIR" for --state-dir.
[[nodiscard]] std::string variable_of(const Option& option);

} // namespace finally_run::cli
