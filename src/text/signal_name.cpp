// Signal names as kill(1) and timeout(1) take them.
#include "text/signal_name.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>

namespace finally_run::text {

namespace {

struct Named {
    std::string_view name;
    int number;
};

// Of two names for one number the first is the one we print.
constexpr auto named = std::to_array<Named>({
    {"HUP", SIGHUP},       {"INT", SIGINT},       {"QUIT", SIGQUIT},   {"ILL", SIGILL},   {"TRAP", SIGTRAP},
    {"ABRT", SIGABRT},     {"IOT", SIGABRT},      {"BUS", SIGBUS},     {"FPE", SIGFPE},   {"KILL", SIGKILL},
    {"USR1", SIGUSR1},     {"SEGV", SIGSEGV},     {"USR2", SIGUSR2},   {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},
    {"TERM", SIGTERM},     {"CHLD", SIGCHLD},     {"CLD", SIGCHLD},    {"CONT", SIGCONT}, {"STOP", SIGSTOP},
    {"TSTP", SIGTSTP},     {"TTIN", SIGTTIN},     {"TTOU", SIGTTOU},   {"URG", SIGURG},   {"XCPU", SIGXCPU},
    {"XFSZ", SIGXFSZ},     {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF},   {"IO", SIGIO},     {"POLL", SIGIO},
    {"PWR", SIGPWR},       {"SYS", SIGSYS},       {"WINCH", SIGWINCH},
#ifdef SIGSTKFLT
    {"STKFLT", SIGSTKFLT},
#endif
});

std::optional<int> parse_number(std::string_view digits) {
    int number = 0;
    const auto* const end = digits.data() + digits.size();
    const auto [stopped_at, error] = std::from_chars(digits.data(), end, number);
    const bool all_digits = digits.find_first_not_of("0123456789") == digits.npos;
    return all_digits && error == std::errc() && stopped_at == end ? std::optional(number) : std::nullopt;
}

bool is_real_time(int number) { return number >= SIGRTMIN && number <= SIGRTMAX; }

// The `+3` of `RTMIN+3`, the `-1` of `RTMAX-1`, or nothing at all.
std::optional<int> real_time(int base, char sign, std::string_view offset) {
    if (offset.empty()) {
        return base;
    }
    const auto distance = offset.front() == sign ? parse_number(offset.substr(1)) : std::nullopt;
    if (!distance || *distance > SIGRTMAX - SIGRTMIN) {
        return std::nullopt;
    }
    return sign == '+' ? base + *distance : base - *distance;
}

bool has_name(int number) { return std::ranges::find(named, number, &Named::number) != named.end(); }

} // namespace

std::optional<int> parse_signal(std::string_view text) {
    if (const auto number = parse_number(text)) {
        // The numbers below SIGRTMIN that have no name belong to the C library.
        return has_name(*number) || is_real_time(*number) ? number : std::nullopt;
    }
    std::string upper(text);
    std::ranges::transform(upper, upper.begin(), [](char c) { return c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c; });
    std::string_view name = upper;
    if (name.starts_with("SIG")) {
        name.remove_prefix(3);
    }
    if (name.starts_with("RTMIN")) {
        return real_time(SIGRTMIN, '+', name.substr(5));
    }
    if (name.starts_with("RTMAX")) {
        return real_time(SIGRTMAX, '-', name.substr(5));
    }
    const auto found = std::ranges::find(named, name, &Named::name);
    return found == named.end() ? std::nullopt : std::optional(found->number);
}

std::string signal_name(int signal) {
    const auto found = std::ranges::find(named, signal, &Named::number);
    if (found != named.end()) {
        return std::string(found->name);
    }
    if (is_real_time(signal)) {
        return signal == SIGRTMIN ? "RTMIN" : "RTMIN+" + std::to_string(signal - SIGRTMIN);
    }
    return std::to_string(signal);
}

} // namespace finally_run::text
