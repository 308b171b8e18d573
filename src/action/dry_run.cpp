#include "action/dry_run.hpp"

#include "action/engine_locks.hpp"
#include "action/run.hpp"
#include "os/shell_words.hpp"
#include "os/spawn.hpp"
#include "os/state_dir.hpp"
#include "report/ci_log.hpp"
#include "report/hints.hpp"
#include "report/text.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace finally_run::action {

namespace {

using plan::Cleanup;

class Numbered {
public:
    void add(std::string_view what, std::string_view object) {
        m_text.append(std::to_string(++m_number)).append(". ").append(what);
        if (!object.empty()) {
            m_text.append(": ").append(report::shown(object));
        }
        m_text += '\n';
    }
    void warn(std::string_view object, std::string_view reason) {
        m_warnings.append("warning: ").append(report::shown(object)).append(": ").append(reason) += '\n';
    }
    [[nodiscard]] std::string text() const { return m_text + m_warnings; }

private:
    std::string m_text;
    std::string m_warnings;
    unsigned m_number = 0;
};

// nullptr: it can be started.
const char* why_not(const std::string& program) {
    const bool is_path = program.find('/') != std::string::npos;
    const char* reason = is_path ? "there is no such program" : "there is no such program in PATH";
    for (const std::string& file : os::candidates(program, environ)) {
        struct stat info = {};
        if (::stat(file.c_str(), &info) < 0) {
            continue;
        }
        if (S_ISREG(info.st_mode) && ::access(file.c_str(), X_OK) == 0) {
            return nullptr;
        }
        reason = is_path ? "cannot be executed" : reason;
    }
    return reason;
}

// Of a CMD; a line for a shell begins with it too, more often than not.
std::string_view first_word(std::string_view cmd) {
    const auto begin = std::min(cmd.find_first_not_of(" \t\n"), cmd.size());
    return cmd.substr(begin, cmd.find_first_of(" \t\n", begin) - begin);
}

bool is_command(const plan::Step& step) {
    constexpr std::array with_cmd{Cleanup::Kind::command, Cleanup::Kind::on_success, Cleanup::Kind::on_failure};
    return step.cleanup && std::ranges::find(with_cmd, *step.cleanup) != with_cmd.end();
}

void warn_if_missing(Numbered& said, const std::string& program, std::string_view hint = {}) {
    if (const char* const reason = why_not(program)) {
        said.warn(program.empty() ? "''" : program, std::string(reason).append(hint));
    }
}

void warn_if_missing(Numbered& said, const plan::Step& step) {
    if (step.cleanup && !is_command(step) && step.cleanup != Cleanup::Kind::service) {
        return;
    }
    const auto look = [&](const std::string& cmd) {
        const auto words = os::plain_words(cmd); // what a shell has to read is left to it
        if (words && !words->empty()) {
            warn_if_missing(said, words->front());
        }
    };
    look(step.text);
    for (const plan::ReadyCheck& check : step.ready) {
        if (check.kind == plan::ReadyCheck::Kind::command) {
            look(check.given);
        }
    }
}

// A cleanup of the same program to the right of a setup, and none to its left: the setup that dies half-way is not
// cleaned up.
void warn_of_order(Numbered& said, const std::vector<plan::Step>& steps) {
    for (auto setup = steps.begin(); setup != steps.end(); ++setup) {
        if (setup->cleanup) {
            continue;
        }
        const auto cleans_it = [&](const plan::Step& step) {
            return is_command(step) && first_word(step.text) == first_word(setup->text);
        };
        const auto late = std::find_if(setup, steps.end(), cleans_it);
        if (late != steps.end() && std::none_of(steps.begin(), setup, cleans_it)) {
            said.warn(late->text, "is registered only after the setup '" + report::shown(setup->text) +
                                      "': put it to the left of it, or it does not run if that fails half-way");
        }
    }
}

std::string_view would_register(Cleanup::Kind kind) {
    switch (kind) {
    case Cleanup::Kind::command:
        return "register the cleanup";
    case Cleanup::Kind::on_success:
        return "register the cleanup after success";
    case Cleanup::Kind::on_failure:
        return "register the cleanup after failure";
    case Cleanup::Kind::remove:
        return "register the removal of";
    case Cleanup::Kind::temp_dir:
        return "make a private directory, and set the variable";
    case Cleanup::Kind::service:
        return "start the service";
    }
    return {};
}

std::string_view would_run(Cleanup::Kind kind) {
    switch (kind) {
    case Cleanup::Kind::command:
        return "run the cleanup";
    case Cleanup::Kind::on_success:
        return "if all went well, run";
    case Cleanup::Kind::on_failure:
        return "if it did not, run";
    case Cleanup::Kind::remove:
        return "remove";
    case Cleanup::Kind::temp_dir:
        return "remove the directory of";
    case Cleanup::Kind::service:
        return "stop the service";
    }
    return {};
}

std::string joined(std::span<char* const> words) {
    std::string text;
    for (const char* const word : words) {
        text.append(text.empty() ? "" : " ").append(word);
    }
    return text;
}

} // namespace

std::string dry_run(const plan::Plan& plan) {
    if (const auto refused = refused_removal(plan, os::state_dir_path(plan.state_dir))) {
        throw std::runtime_error("--remove: " + report::shown(refused->path) + ": " + refused->reason);
    }
    Numbered said;
    const bool waits = !plan.lock_wait || plan.lock_wait->count() > 0;
    for (const plan::LockRequest& lock : plan.locks) {
        said.add(std::string(lock.shared ? "share the lock" : "take the lock") +
                     (waits ? ", waiting for it" : ", if it is free"),
                 lock.name);
    }
    for (const plan::Step& step : plan.steps) {
        said.add(step.cleanup ? would_register(*step.cleanup) : "run the setup", step.text);
        for (const plan::ReadyCheck& check : step.ready) {
            said.add(plan.ready_timeout
                         ? "wait until it is ready, for " + report::duration_text(*plan.ready_timeout) + " at most"
                         : std::string("wait until it is ready"),
                     check.given);
        }
    }
    said.add(plan.timeout ? "run the command, with a time limit" : "run the command", joined(plan.command));
    std::vector<plan::Step> last_first(plan.steps.rbegin(), plan.steps.rend());
    std::erase_if(last_first, [](const plan::Step& step) { return !step.cleanup; });
    for (const plan::Step& step : last_first) {
        said.add(would_run(*step.cleanup), step.text);
    }
    for (const plan::LockRequest& lock : plan.locks) {
        said.add("release the lock", lock.name);
    }
    for (const plan::LockRequest& lock : plan.locks) {
        if (const std::string reason = why_unknown(lock); !reason.empty()) {
            said.warn(lock.name, reason);
        }
    }
    for (const plan::Step& step : plan.steps) {
        warn_if_missing(said, step);
    }
    warn_if_missing(said, plan.command.front(), report::hint_on_missing(plan.command.front()));
    warn_of_order(said, plan.steps);
    return said.text();
}

} // namespace finally_run::action
