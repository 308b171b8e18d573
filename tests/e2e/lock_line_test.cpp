// The line that says who has the lock that is waited for.
#include "pty.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

Run holding(std::vector<std::string> words) {
    words.insert(words.begin(), {"--lock-shared", "l", "--"});
    return Run(words);
}

Process started(const Run& run) {
    auto process = run.start();
    process.wait_for_line("READY");
    return process;
}

TEST_CASE("on a terminal the waiting line is the command and pid of the holder and the time so far, in one row") {
    const auto holder = started(holding({"helper", "pause", std::string(100, 'x')}));
    Terminal terminal{Run({"--lock", "l", "--", "true"}).env("TERM", "xterm")};
    const std::string begin = "\x1b[Kfinally-run: waiting ";
    const std::string who = "s for lock: l: helper pause ";
    const std::string first = terminal.wait_for(")\r");
    const std::string next = terminal.wait_for(")\r");
    for (const auto& row : {first, next}) {
        CAPTURE(row);
        CHECK(row.find(who) != std::string::npos);
        // A short pid leaves room for the time.
        CHECK(row.find("... (pid " + std::to_string(holder.pid())) != std::string::npos);
    }
    REQUIRE_MESSAGE(next.starts_with(begin), next);
    CHECK(number_after(next, begin) > number_after(first, "waiting "));
    CHECK(next.size() - std::string("\x1b[K").size() - 1 < 80);
    terminal.type(ctrl_c);
    CHECK(terminal.finish().signal == SIGINT);
}

TEST_CASE("of several who share the lock one is named and the others are counted") {
    std::vector<Process> holders;
    holders.push_back(started(holding({"helper", "pause", "one"})));
    holders.push_back(started(holding({"helper", "pause", "two"})));
    holders.push_back(started(Run::of({"flock", "-s", (state_dir() / "l").string(), "helper", "pause", "three"})));
    auto waiter = Run({"--lock", "l", "--", "true"}).start();
    const auto line = waiter.wait_for_err("for lock: l: ");
    CHECK_MESSAGE(line.find(" and 2 more, since ") != std::string::npos, line);
    CHECK(count(line, "helper pause") == 1);
}

TEST_CASE("the waiting lines of three recipes of one make stay lines") {
    const auto holder = started(holding({"helper", "pause"}));
    write_file(work("Makefile"), "all: a b c\na b c:\n\t@finally-run --lock l --wait 2.2 -- true\n");
    Terminal terminal{Run::of({"make", "-k", "-j4"}).env("TERM", "xterm").env("NO_COLOR", "1")};
    const auto out = terminal.finish().out;
    int waiting = 0;
    for (const auto& line : lines(out)) {
        CAPTURE(line);
        const auto at = line.find("finally-run:");
        waiting += line.find(" for lock: l: helper pause (pid ") != std::string::npos ? 1 : 0;
        CHECK((at == std::string::npos || line.find("finally-run:", at + 1) == std::string::npos));
    }
    CHECK_MESSAGE(waiting == 3, out);
    CHECK(out.find("\r\x1b[K") == std::string::npos);
}

} // namespace
} // namespace finally_run::e2e
