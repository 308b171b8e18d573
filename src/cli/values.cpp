// What the value of an option means to the plan.
#include "cli/values.hpp"

#include "cli/ready_check.hpp"
#include "cli/usage_error.hpp"
#include "text/signal_name.hpp"
#include "text/visible.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <optional>
#include <utility>
#include <variant>

namespace finally_run::cli {

namespace {

struct Value {
    const Option& option;
    std::string_view text;
    std::string_view origin;
};

[[noreturn]] void refuse(const Value& value, std::string_view reason) {
    const auto shown = value.text.empty() ? std::string("empty value") : text::visible(value.text, word_limit);
    throw UsageError(std::string(value.origin) + ": " + shown + ": " + std::string(reason));
}

std::string text(const Value& value) {
    if (value.text.empty()) {
        refuse(value, "it takes " + std::string(value.option.value));
    }
    return std::string(value.text);
}

std::string variable(const Value& value) {
    const bool starts_with_digit = !value.text.empty() && value.text.front() >= '0' && value.text.front() <= '9';
    constexpr auto allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    if (value.text.empty() || starts_with_digit || value.text.find_first_not_of(allowed) != value.text.npos) {
        refuse(value, "a variable's name has letters, digits and _, and does not begin with a digit");
    }
    if (value.text.starts_with("FINALLY_RUN_")) {
        refuse(value, "FINALLY_RUN_ variables are finally-run's own");
    }
    return std::string(value.text);
}

void check_name_at_engine(const Value& value, const plan::LockRequest& lock) {
    constexpr auto allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    const auto engine = lock.engine();
    const auto name = lock.name_there();
    if (engine.empty() || engine.find_first_not_of(allowed) != engine.npos) {
        refuse(value, "ENGINE:NAME has an ENGINE of letters, digits, _ and -; a local lock with a colon in its name "
                      "needs a slash, as in ./NAME");
    }
    const auto is_control = [](unsigned char c) { return c < ' ' || c == '\x7f'; };
    if (name.empty() || name.starts_with('-') || std::ranges::any_of(name, is_control)) {
        refuse(value, "the NAME of ENGINE:NAME is not empty, does not begin with - and has no control characters");
    }
}

plan::LockRequest lock(const Value& value, bool shared) {
    constexpr std::size_t longest_file_name = 255;
    plan::LockRequest lock{text(value), shared};
    if (lock.is_at_engine()) {
        check_name_at_engine(value, lock);
    } else if (!lock.is_path() && value.text.starts_with('.')) {
        refuse(value, "a lock's name does not begin with a dot; a path has a slash, as in ./NAME");
    }
    if (!lock.is_path() && lock.file_name().size() > longest_file_name) {
        refuse(value, lock.is_at_engine() ? "a lock's name has at most 255 bytes, a / or % in it counting three"
                                          : "a lock's name has at most 255 bytes");
    }
    return lock;
}

text::Duration duration(const Value& value) {
    const auto parsed = text::parse_duration(value.text);
    if (!parsed) {
        refuse(value, "a duration is a number with ms, s, m, h or d, such as 90s or 1h30m");
    }
    return *parsed;
}

text::Duration ttl(const Value& value) {
    const auto parsed = duration(value);
    constexpr text::Duration shortest = std::chrono::seconds(1);
    constexpr text::Duration longest = std::chrono::hours(24);
    if (parsed < shortest || parsed > longest) {
        refuse(value, "it takes a duration from 1s to 1d");
    }
    return parsed;
}

text::Limit limit_unless_zero(const Value& value) {
    const auto limit = duration(value);
    return limit == text::Duration::zero() ? std::nullopt : text::Limit(limit);
}

int signal(const Value& value) {
    const auto parsed = text::parse_signal(value.text);
    if (!parsed) {
        refuse(value, "no such signal; it takes a name or a number, such as INT or 2");
    }
    return *parsed;
}

// "TERM:QUIT,HUP:0"
void add_rewrites(std::vector<plan::Rewrite>& rewrites, const Value& value) {
    std::string_view rest = value.text;
    for (bool more = true; more;) {
        const auto comma = rest.find(',');
        const auto one = rest.substr(0, comma);
        more = comma != rest.npos;
        rest.remove_prefix(more ? comma + 1 : rest.size());
        const auto colon = one.find(':');
        const auto from = text::parse_signal(one.substr(0, colon));
        const auto to_word = colon == one.npos ? std::string_view() : one.substr(colon + 1);
        const auto to = to_word == "0" ? std::optional(0) : text::parse_signal(to_word);
        if (!from || !to) {
            refuse(value, "it takes two signals, as in TERM:QUIT, or TERM:0 to drop one");
        }
        if (*from == SIGKILL || *from == SIGSTOP) {
            refuse(value, "KILL and STOP cannot be caught, so they cannot be passed on either");
        }
        rewrites.push_back({*from, *to});
    }
}

int number(const Value& value, int highest) {
    int parsed = 0;
    const auto* const end = value.text.data() + value.text.size();
    const auto [stopped_at, error] = std::from_chars(value.text.data(), end, parsed);
    if (error != std::errc() || stopped_at != end || value.text.front() == '-' || parsed > highest) {
        refuse(value, "it takes a number from 0 to " + std::to_string(highest));
    }
    return parsed;
}

void add_patterns(std::vector<std::string>& patterns, const Value& value) {
    constexpr auto allowed = "it takes names of variables, as in AWS_*,SSH_AUTH_SOCK";
    if (value.text.find('=') != value.text.npos) {
        refuse(value, std::string(allowed) + ", and no values");
    }
    constexpr auto separators = ", \t\n";
    auto begin = value.text.find_first_not_of(separators);
    if (begin == value.text.npos) {
        refuse(value, allowed);
    }
    while (begin != value.text.npos) {
        const auto end = value.text.find_first_of(separators, begin);
        patterns.emplace_back(value.text.substr(begin, end - begin));
        begin = value.text.find_first_not_of(separators, end);
    }
}

void add_ready_check(std::vector<plan::Step>& steps, const Value& value) {
    if (steps.empty() || steps.back().cleanup != plan::Cleanup::Kind::service) {
        refuse(value, "it stands right behind the --service that is to be ready");
    }
    auto check = ready_check(text(value));
    if (const auto* const wrong = std::get_if<std::string>(&check)) {
        refuse(value, *wrong);
    }
    steps.back().ready.push_back(std::get<plan::ReadyCheck>(std::move(check)));
}

// The table lists the choices of an option in the order of the enumeration that it sets.
template <typename Enumeration> Enumeration choice(const Value& value) {
    auto choices = value.option.value;
    for (int index = 0;; ++index) {
        const auto end = choices.find('|');
        if (choices.substr(0, end) == value.text) {
            return static_cast<Enumeration>(index);
        }
        if (end == choices.npos) {
            refuse(value, "it takes " + std::string(value.option.value));
        }
        choices.remove_prefix(end + 1);
    }
}

} // namespace

void enter(Values& values, const Option& option, std::string_view given, std::string_view origin) {
    using Kind = plan::Cleanup::Kind;
    plan::Plan& plan = values.plan;
    const Value value{option, given, origin};
    switch (option.id) {
    case Id::cleanup:
        plan.steps.push_back({Kind::command, text(value)});
        return;
    case Id::cleanup_anywhere:
        plan.steps.push_back({Kind::command, text(value), true});
        return;
    case Id::on_success:
        plan.steps.push_back({Kind::on_success, text(value)});
        return;
    case Id::on_failure:
        plan.steps.push_back({Kind::on_failure, text(value)});
        return;
    case Id::remove:
        plan.steps.push_back({Kind::remove, text(value)});
        return;
    case Id::temp_dir:
        plan.steps.push_back({Kind::temp_dir, variable(value)});
        return;
    case Id::setup:
        plan.steps.push_back({std::nullopt, text(value)});
        return;
    case Id::service:
        plan.steps.push_back({Kind::service, text(value)});
        return;
    case Id::ready:
        add_ready_check(plan.steps, value);
        return;
    case Id::ready_timeout:
        plan.ready_timeout = limit_unless_zero(value);
        return;
    case Id::service_exit:
        plan.service_exit = choice<plan::ServiceExit>(value);
        return;
    case Id::lock:
        plan.locks.push_back(lock(value, false));
        return;
    case Id::lock_shared:
        plan.locks.push_back(lock(value, true));
        return;
    case Id::lock_ttl:
        plan.lock_ttl = ttl(value);
        return;
    case Id::wait:
        plan.lock_wait = duration(value);
        return;
    case Id::no_wait:
        plan.lock_wait = text::Duration::zero();
        return;
    case Id::conflict_exit_code:
        plan.conflict_exit_code = number(value, 255);
        return;
    case Id::timeout:
        plan.timeout = limit_unless_zero(value);
        return;
    case Id::signal:
        plan.stop_signal = signal(value);
        return;
    case Id::rewrite:
        add_rewrites(plan.rewrites, value);
        return;
    case Id::preserve_status:
        plan.preserve_status = true;
        return;
    case Id::grace:
        plan.grace = limit_unless_zero(value);
        return;
    case Id::cleanup_timeout:
        plan.cleanup_timeout = limit_unless_zero(value);
        return;
    case Id::cleanup_retries:
        plan.cleanup_retries = static_cast<unsigned>(number(value, 1'000'000));
        return;
    case Id::orphans:
        plan.orphans = choice<plan::Orphans>(value);
        return;
    case Id::stop_with_caller:
        plan.stop_with_caller = choice<plan::StopWithCaller>(value);
        return;
    case Id::state_dir:
        plan.state_dir = text(value);
        return;
    case Id::keep_env:
        add_patterns(plan.keep_env, value);
        return;
    case Id::durable:
        plan.durable = true;
        return;
    case Id::dry_run:
        plan.dry_run = true;
        return;
    case Id::strict:
        plan.strict = true;
        return;
    case Id::failed_cleanups:
        plan.failed_cleanups = choice<plan::FailedCleanups>(value);
        return;
    case Id::report:
        plan.report = text(value) == "-" ? "/dev/stdout" : text(value);
        return;
    case Id::ci:
        plan.ci = choice<plan::Ci>(value);
        return;
    case Id::quiet:
        plan.verbosity = plan::Verbosity::quiet;
        return;
    case Id::verbose:
        plan.verbosity = plan::Verbosity::verbose;
        return;
    case Id::defer:
        values.deferred = text(value);
        return;
    case Id::status:
    case Id::json:
    case Id::all_users:
    case Id::recover:
    case Id::stop:
    case Id::forget:
    case Id::help:
    case Id::version:
        return; // no part of a plan
    }
}

std::string run_id(const Option& option, std::string_view given) {
    constexpr std::size_t longest = 64;
    constexpr auto allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
    if (given.empty() || given.size() > longest || given.find_first_not_of(allowed) != given.npos) {
        refuse({option, given, long_form(option)},
               "a RUN has letters, digits and -, 64 at most, such as 20261122T154203-5f3a9c2e");
    }
    return std::string(given);
}

} // namespace finally_run::cli
