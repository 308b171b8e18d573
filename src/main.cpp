// finally-run: runs a command, and its cleanups whatever becomes of it.

#include "cli/parse.hpp"
#include "cli/version.hpp"
#include "os/signals.hpp"
#include "run/defer.hpp"
#include "run/recover.hpp"
#include "run/run.hpp"
#include "run/status.hpp"

#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <unistd.h>
#include <variant>

using namespace finally_run;

namespace {

run::Finish print(const std::string& text) {
    const bool printed = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
    if (!printed) {
        run::say_error("cannot write to stdout");
    }
    return {printed ? 0 : run::own_failure_status, 0};
}

// One for each thing that can be asked for.
struct Answer {
    char** argv;
    os::Signals& signals;

    run::Finish operator()(const plan::Plan& plan) const { return run::run(plan, {argv, environ}, signals); }
    run::Finish operator()(const plan::Defer& request) const { return run::defer(request); }
    run::Finish operator()(const plan::Status& request) const { return print(run::status(request)); }
    run::Finish operator()(const plan::Recover& request) const { return run::recover(request, signals); }
    run::Finish operator()(const plan::Forget& request) const { return run::forget(request); }
    run::Finish operator()(const cli::ShowHelp& help) const { return print(help.text); }
    run::Finish operator()(const cli::ShowVersion&) const { return print(cli::version_line); }
};

} // namespace

int main(int argc, char* argv[]) {
    try {
        os::Signals signals; // first of all: also a message to a broken pipe must not end us
        const auto request = cli::parse(std::span(argv, static_cast<std::size_t>(argc)), environ);
        const run::Finish finish = std::visit(Answer{argv, signals}, request);
        if (finish.signal != 0) {
            os::die_of(finish.signal);
        }
        return finish.status;
    } catch (const std::exception& error) {
        run::say_error(error.what());
        return run::own_failure_status;
    }
}
