// finally-run: runs a command, and its cleanups whatever becomes of it.

#include "action/defer.hpp"
#include "action/dry_run.hpp"
#include "action/forget.hpp"
#include "action/recover.hpp"
#include "action/run.hpp"
#include "action/status.hpp"
#include "action/stop.hpp"
#include "cli/parse.hpp"
#include "os/error.hpp"
#include "os/signals.hpp"
#include "text/version.hpp"

#include <cerrno>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <unistd.h>
#include <variant>

using namespace finally_run;

namespace {

plan::ExitStatus print(const std::string& text) {
    const bool printed = std::fputs(text.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
    if (!printed) {
        action::say_error(std::string("cannot write to stdout: ").append(os::error_text(errno)));
    }
    return {printed ? 0 : plan::own_failure_status, 0};
}

// One for each thing that can be asked for. What only prints dies of a signal like any program, also while nobody
// reads.
struct Answer {
    char** argv;
    os::Signals& signals;

    plan::ExitStatus operator()(const plan::Plan& plan) const {
        if (plan.dry_run) {
            signals.give_back();
            return print(action::dry_run(plan));
        }
        return action::run(plan, {argv, environ}, signals);
    }
    plan::ExitStatus operator()(const plan::Defer& request) const { return action::defer(request); }
    plan::ExitStatus operator()(const plan::Status& request) const {
        signals.give_back();
        return print(action::status(request));
    }
    plan::ExitStatus operator()(const plan::Recover& request) const {
        return action::recover(request, {argv, environ}, signals);
    }
    plan::ExitStatus operator()(const plan::Stop& request) const { return action::stop(request, signals); }
    plan::ExitStatus operator()(const plan::Forget& request) const { return action::forget(request); }
    plan::ExitStatus operator()(const cli::ShowHelp& help) const {
        signals.give_back();
        return print(help.text);
    }
    plan::ExitStatus operator()(const cli::ShowVersion&) const {
        signals.give_back();
        return print(std::string("finally-run ") + text::version + '\n');
    }
};

int answer(int argc, char* argv[]) {
    try {
        os::Signals signals; // first of all: also a message to a broken pipe must not end us
        const auto request = cli::parse(std::span(argv, static_cast<std::size_t>(argc)));
        const plan::ExitStatus status = std::visit(Answer{argv, signals}, request);
        if (status.signal != 0) {
            os::die_of(status.signal);
        }
        return status.code;
    } catch (const std::exception& error) {
        action::say_error(os::text_of(error));
        return plan::own_failure_status;
    }
}

} // namespace

int main(int argc, char* argv[]) {
    // Nothing is left to be done: what was printed has been flushed. exit(3) would take down what the libraries have
    // set up, on pages that are shared with the guardian and copied for that.
    ::_exit(answer(argc, argv));
}
