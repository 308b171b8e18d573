// For the locks that machines share: two state directories are two machines, and a helper with flock(1) on files is the
// engine.
#pragma once

#include "guard.hpp"

#include "support/proc.hpp"

#include <nlohmann/json.hpp>

#include <csignal>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace finally_run::e2e {

inline fs::path engine_file(std::string_view name) { return work("engine") / name; }

// A run on this machine, or on the other one.
inline Run on(std::string_view machine, std::vector<std::string> args) {
    fs::create_directories(work("engine"));
    const fs::path helper = case_dir() / "bin" / "finally-run-lock-file";
    if (!fs::exists(helper)) {
        fs::create_symlink(fs::path(FINALLY_RUN_SOURCE_DIR) / "tests/support/finally-run-lock-file", helper);
    }
    return Run(std::move(args))
        .env("LOCK_FILES", work("engine"))
        .env("FINALLY_RUN_STATE_DIR", (case_dir() / machine).native());
}
inline Run on_a(std::vector<std::string> args) { return on("here", std::move(args)); }
inline Run on_b(std::vector<std::string> args) { return on("there", std::move(args)); }

inline nlohmann::json status_of(std::string_view machine) {
    return nlohmann::json::parse(on(machine, {"--status", "--json"}).run().out);
}

inline bool is_held() { return is_locked(engine_file("x.lock")); }
inline pid_t helper_pid() { return static_cast<pid_t>(std::stol(read_file(engine_file("x.helper")))); }

// The keeper of the run whose guardian or supervisor is looked for; its name is its own.
inline pid_t keeper_pid() {
    pid_t found = 0;
    wait_until("the keeper shows its name", [&] {
        const auto helper = test::proc_stat(helper_pid());
        const auto parent = helper ? test::proc_stat(helper->parent) : std::nullopt;
        found = parent && parent->name == "finally-keeper" ? parent->pid : 0;
        return found != 0;
    });
    return found;
}

// Nobody of it is left but its command.
inline void kill_all(Process& process) {
    const pid_t keeper = keeper_pid();
    ::kill(keeper, SIGSTOP);
    kill_both(process.pid());
    ::kill(keeper, SIGKILL);
    process.finish();
    wait_until("the helper has ended", [] { return !is_held(); });
}

// A helper in sh, under the name of the engine "odd".
inline Run with_helper(const std::string& script, std::vector<std::string> args) {
    write_file(case_dir() / "bin" / "finally-run-lock-odd", "#!/bin/sh\n" + script + "\n", 0755);
    return on_a(std::move(args));
}

// Says who runs it after what, and what is known of the lock, and whether it is really held.
inline constexpr const char* witness_of_lock =
    "echo by $FINALLY_RUN_BY after $FINALLY_RUN_RESULT, lock $FINALLY_RUN_LOCK $FINALLY_RUN_LOCK_TOKEN, "
    "$(flock -n engine/x.lock echo free || echo taken) >>log";

} // namespace finally_run::e2e
