// What is sent to the group in the very moment in which the command comes to be.
#include "supervise/supervise.hpp"

#include "main_args.hpp"
#include "support/forked.hpp"
#include "support/traced.hpp"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <functional>
#include <string>
#include <unistd.h>

using namespace finally_run;

namespace {

// Supervises a command in its own group, beside a sentinel, until the command is sent RTMIN+30.
void supervise_printer(int out, const std::function<int()>& in_child) {
    ::setpgid(0, 0);
    os::Signals signals;
    os::Events events(signals, {});
    supervise::Sentinel sentinel(supervise::Sentinel::Place::our_group, "a-b-c", test::main_args);
    const std::array argv{FINALLY_RUN_HELPER, "print-signals", "RTMIN+30", static_cast<const char*>(nullptr)};
    os::SpawnRequest request{.argv = argv.data(),
                             .env = environ,
                             .signals = os::default_signals(),
                             .ignored_here = signals.ignored_here(),
                             .stdio = os::Stdio{::open("/dev/null", O_RDONLY | O_CLOEXEC), out, STDERR_FILENO},
                             .in_child = in_child};
    ::sigfillset(&request.signals.mask); // it prints also what comes before it is ready to
    const supervise::Limits limits{std::nullopt, std::nullopt, SIGTERM, plan::Orphans::leave};
    static_cast<void>(supervise::supervise(request, limits, events, &sentinel, [](const supervise::Notice&) {}));
}

std::string line_from(const test::Gate& gate) {
    std::string line;
    for (char byte = 0; ::read(gate.reader(), &byte, 1) == 1 && byte != '\n';) {
        line += byte;
    }
    return line;
}

std::ptrdiff_t times_told(test::Traced& run, test::Gate& out) {
    out.close_writer();
    run.let_go();
    static_cast<void>(line_from(out)); // READY
    ::kill(run.pid(), SIGRTMIN + 30);  // the highest number: handed on last
    std::string all;
    for (std::string line = line_from(out); !line.empty(); line = line_from(out)) {
        all += line == "got TERM" ? "x" : "";
    }
    return static_cast<std::ptrdiff_t>(all.size());
}

} // namespace

TEST_CASE("what a group is sent right before the command is in it is sent on to the command") {
    test::Gate out;
    test::Traced run([&] { supervise_printer(out.writer(), {}); });
    REQUIRE(run.hold_after(SYS_rt_sigpending)); // the last that it does before clone(2)
    ::kill(-run.pid(), SIGTERM);
    CHECK(times_told(run, out) == 1);
}

TEST_CASE("what a group is sent when the command has just been made reaches the command once") {
    test::Gate out;
    test::Traced run([&] { supervise_printer(out.writer(), [] { return ::kill(0, SIGTERM); }); });
    REQUIRE(run.hold_after(SYS_rt_sigpending));
    CHECK(times_told(run, out) == 1);
}
