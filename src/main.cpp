// finally-run: runs a command, and its cleanups whatever becomes of it.

#include "cli/parse.hpp"
#include "os/signals.hpp"
#include "run/run.hpp"

#include <cstdio>
#include <exception>
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

int not_built_yet() {
    run::say_error("not built yet");
    return run::own_failure_status;
}

// Each returns the exit status.
int answer(const cli::ShowHelp& help, os::Signals& /*signals*/) { return print(help.text); }
int answer(const cli::ShowVersion& version, os::Signals& /*signals*/) { return print(version.text); }
int answer(const plan::Defer& /*defer*/, os::Signals& /*signals*/) { return not_built_yet(); }
int answer(const plan::Status& /*status*/, os::Signals& /*signals*/) { return not_built_yet(); }
int answer(const plan::Recover& /*recover*/, os::Signals& /*signals*/) { return not_built_yet(); }
int answer(const plan::Forget& /*forget*/, os::Signals& /*signals*/) { return not_built_yet(); }

int answer(const plan::Plan& plan, os::Signals& signals) {
    const run::Finish finish = run::run(plan, environ, signals);
    if (finish.signal != 0) {
        os::die_of(finish.signal);
    }
    return finish.status;
}

} // namespace

int main(int argc, char* argv[]) {
    try {
        os::Signals signals; // first of all: also a message to a broken pipe must not end us
        const auto request = cli::parse(std::span(argv, static_cast<std::size_t>(argc)), environ);
        return std::visit([&](const auto& asked) { return answer(asked, signals); }, request);
    } catch (const std::exception& error) {
        run::say_error(error.what());
        return run::own_failure_status;
    }
}
