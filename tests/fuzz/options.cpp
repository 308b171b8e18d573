// Fuzzes the parser of the command line: the input is its words, separated by NUL bytes; behind a word "env:" they are
// the environment.
#include "cli/parse.hpp"
#include "require.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

namespace finally_run::fuzz {

namespace {

struct Input {
    std::vector<std::string> words{"finally-run"};
    std::vector<std::string> environment;
};

Input split(std::string_view bytes) {
    Input input;
    auto* words = &input.words;
    while (true) {
        const auto end = bytes.find('\0');
        const auto word = bytes.substr(0, end);
        if (word == "env:") {
            words = &input.environment;
        } else {
            words->emplace_back(word);
        }
        if (end == bytes.npos) {
            return input;
        }
        bytes.remove_prefix(end + 1);
    }
}

std::vector<char*> pointers_to(std::vector<std::string>& strings) {
    std::vector<char*> pointers;
    for (auto& string : strings) {
        pointers.push_back(string.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

void check(const plan::Plan& plan, std::span<char* const> argv) {
    require(!plan.command.empty() && plan.command.data() > argv.data(), "a run has a command");
    require(plan.command.data() + plan.command.size() == argv.data() + argv.size(), "the command ends where argv does");
    require(plan.stop_signal >= 1 && plan.stop_signal <= 64, "the stop signal is a signal");
    require(plan.conflict_exit_code >= 0 && plan.conflict_exit_code <= 255, "a status is a status");
    require(!plan.lock_wait || plan.lock_wait->count() >= 0, "no time is negative");
    require(!plan.grace || plan.grace->count() >= 0, "no time is negative");
    require(!plan.timeout || plan.timeout->count() > 0, "a time limit is none or positive");
    const auto has_name = [](const plan::LockRequest& lock) { return !lock.name.empty(); };
    require(std::ranges::all_of(plan.locks, has_name), "a lock has a name");
}

// Which alternative came of it; nullopt: wrong usage. Any other exception is a crash.
std::optional<std::size_t> parse(std::span<char* const> argv) {
    try {
        const auto request = cli::parse(argv);
        if (const auto* const plan = std::get_if<plan::Plan>(&request)) {
            check(*plan, argv);
        } else if (const auto* const help = std::get_if<cli::ShowHelp>(&request)) {
            require(help->text.ends_with('\n'), "help ends with a newline");
        }
        return request.index();
    } catch (const cli::UsageError& error) {
        const std::string_view message = error.what();
        const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7F; };
        require(!message.empty() && std::ranges::none_of(message, is_control),
                "a message is one line fit to be printed");
        require(message.size() < 1000, "a message has an end");
        return std::nullopt;
    }
}

} // namespace

} // namespace finally_run::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace finally_run::fuzz;
    Input input = split(std::string(data, data + size));
    const auto words = input.words;
    const auto argv = pointers_to(input.words);
    auto environment = pointers_to(input.environment);
    char** const saved = std::exchange(environ, environment.data());
    const auto first = parse(std::span(argv).first(argv.size() - 1));
    const auto second = parse(std::span(argv).first(argv.size() - 1));
    environ = saved;
    require(first == second, "the same words are taken alike twice");
    require(input.words == words, "the words are left as they were");
    return 0;
}
