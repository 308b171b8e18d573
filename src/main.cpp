// finally-run: runs a command, and its cleanups whatever becomes of it.

#include "cli/parse.hpp"
#include "os/signals.hpp"
#include "run/run.hpp"

#include <cstdio>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <unistd.h>
#include <variant>

using namespace finally_run;

namespace {

int print(const std::string& text) {
    const bool printed = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
    if (!printed) {
        run::say_error("cannot write to stdout");
    }
    return printed ? 0 : run::own_failure_status;
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        os::Signals signals; // first of all: also a message to a broken pipe must not end us
        const auto request = cli::parse(std::span(argv, static_cast<std::size_t>(argc)), environ);
        if (const auto* const help = std::get_if<cli::ShowHelp>(&request)) {
            return print(help->text);
        }
        if (const auto* const version = std::get_if<cli::ShowVersion>(&request)) {
            return print(version->text);
        }
        const run::Finish finish = run::run(std::get<plan::Plan>(request), environ, signals);
        if (finish.signal != 0) {
            os::die_of(finish.signal);
        }
        return finish.status;
    } catch (const std::exception& error) {
        run::say_error(error.what());
        return run::own_failure_status;
    }
}
