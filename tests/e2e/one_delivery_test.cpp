// A signal reaches the command once, whoever else was told of it. FINALLY_RUN_TEST_ROUNDS asks for more than a few.
#include "pty.hpp"
#include "support/needs.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <sstream>
#include <unistd.h>

namespace finally_run::e2e {
namespace {

int rounds() {
    const char* const wanted = std::getenv("FINALLY_RUN_TEST_ROUNDS");
    return wanted != nullptr ? std::atoi(wanted) : tries(10);
}

constexpr std::array stop_signals{std::pair{SIGTERM, "got TERM\n"}, std::pair{SIGINT, "got INT\n"},
                                  std::pair{SIGHUP, "got HUP\n"}};

struct Tally {
    std::string_view last = "got RTMIN+30\n"; // without it not all was written
    unsigned lost = 0;
    unsigned doubled = 0;

    // What the command has written to a file: a terminal that is hung up may swallow the last of it.
    void add(std::string_view line) {
        const std::string all = read_file(work("signals"));
        REQUIRE(count(all, last) > 0);
        const std::size_t got = count(all, line);
        lost += got == 0 ? 1 : 0;
        doubled += got > 1 ? 1 : 0;
    }
    void check(std::string_view line) const {
        CAPTURE(std::string(line));
        CAPTURE(rounds());
        CHECK(lost == 0);
        CHECK(doubled == 0);
    }
};

pid_t parent_of(pid_t pid) {
    const std::string stat = read_file("/proc/" + std::to_string(pid) + "/stat");
    std::istringstream rest(stat.substr(stat.rfind(')') + 1));
    char state = 0;
    pid_t parent = 0;
    rest >> state >> parent;
    return parent;
}

// All that descend from it, in the order of their pids, bystanders included.
std::vector<pid_t> below(pid_t root) {
    std::vector<pid_t> found;
    for (const pid_t pid : leftovers()) {
        pid_t ancestor = parent_of(pid);
        while (ancestor > 1 && ancestor != root)
            ancestor = parent_of(ancestor);
        if (ancestor == root)
            found.push_back(pid);
    }
    return found;
}

std::string name_of(pid_t pid) { return read_file("/proc/" + std::to_string(pid) + "/comm"); }

bool is_run(pid_t pid) { return name_of(pid) == "finally-run\n"; }

// The run that a signal has to pass first on its way to the command.
pid_t outermost_run(pid_t command) {
    pid_t found = 0;
    for (pid_t pid = parent_of(command); pid > 1 && pid != ::getpid(); pid = parent_of(pid)) {
        if (is_run(pid))
            found = pid;
    }
    return found;
}

// It has the highest number of all, so everybody on the way hands it on last.
void end(pid_t run) { ::kill(run, SIGRTMIN + 30); }

std::vector<std::string> around_command(std::vector<std::string> argv) {
    argv.insert(argv.end(), {"finally-run", "--grace", "0", "--", "helper", "print-signals", "RTMIN+30", "signals"});
    return argv;
}

using Tell = std::function<void(pid_t root, pid_t command, int signal)>;

void tell_group(pid_t /*root*/, pid_t command, int signal) { ::kill(-::getpgid(command), signal); }
// Until it has told whom it tells: it does nothing else.
void tell_root(pid_t root, pid_t /*command*/, int signal) {
    ::kill(root, signal);
    wait_for_state(root, 'S');
}
void tell_run(pid_t /*root*/, pid_t command, int signal) { ::kill(outermost_run(command), signal); }
void tell_each(pid_t root, pid_t /*command*/, int signal) {
    const auto pids = below(root);
    ::kill(root, signal);
    for (const pid_t pid : pids)
        ::kill(pid, signal);
}
void tell_each_from_below(pid_t root, pid_t /*command*/, int signal) {
    auto pids = below(root);
    std::ranges::reverse(pids);
    for (const pid_t pid : pids)
        ::kill(pid, signal);
    ::kill(root, signal);
}

void check_on_terminal(const std::vector<std::string>& argv, const Tell& tell) {
    for (const auto& [signal, line] : stop_signals) {
        Tally tally;
        for (int round = 0; round < rounds(); ++round) {
            Terminal terminal(Run::of(argv));
            const pid_t command = ready(terminal);
            const pid_t run = outermost_run(command);
            tell(terminal.pid(), command, signal);
            end(run);
            terminal.finish();
            tally.add(line);
        }
        tally.check(line);
    }
}

void check_in_ci(const Tell& tell) {
    for (const auto& [signal, line] : stop_signals) {
        Tally tally;
        for (int round = 0; round < rounds(); ++round) {
            auto process = Run::of(around_command({})).env("CI", "true").start();
            const auto command = static_cast<pid_t>(number_after(process.wait_for_line("READY"), "READY "));
            tell(process.pid(), command, signal);
            end(process.pid());
            process.finish();
            tally.add(line);
        }
        tally.check(line);
    }
}

const std::vector<std::string> patient_bash{"bash", "-c", "trap : TERM INT HUP; \"$@\"; true", "bash"};

std::vector<std::string> three_deep() {
    const std::vector<std::string> outer{"finally-run", "--grace", "0", "--"};
    std::vector<std::string> argv = outer;
    argv.insert(argv.end(), outer.begin(), outer.end());
    return around_command(argv);
}

TEST_CASE("a signal to the group of a terminal's job reaches the command once") {
    check_on_terminal(around_command({}), tell_group);
}

TEST_CASE("a signal to the group reaches the command of a run below a shell once") {
    check_on_terminal(around_command(patient_bash), tell_group);
}

TEST_CASE("a signal to the group reaches the command once through three runs") {
    check_on_terminal(three_deep(), tell_group);
}

TEST_CASE("a signal that timeout sends to its child and to the group reaches the command once") {
    check_on_terminal(around_command({"timeout", "300"}), tell_root);
}

TEST_CASE("a signal that dumb-init sends to the group of its child reaches the command once") {
    if (test::needs(fs::exists("/usr/bin/dumb-init"), "dumb-init")) {
        check_on_terminal(around_command({"/usr/bin/dumb-init"}), tell_root);
    }
}

TEST_CASE("a signal to a job of an interactive shell reaches the command once") {
    for (const auto& [signal, line] : stop_signals) {
        Tally tally;
        for (int round = 0; round < rounds(); ++round) {
            Shell shell;
            shell.enter("finally-run --grace 0 -- helper print-signals RTMIN+30 signals &");
            const pid_t run = outermost_run(ready(shell));
            shell.line("kill -" + std::to_string(signal) + " %1; echo told"); // the prompt came before READY, or after
            shell.wait_for("told\n");
            end(run);
            shell.line("wait; exit");
            shell.finish();
            tally.add(line);
        }
        tally.check(line);
    }
}

TEST_CASE("a signal to each process of the tree in turn reaches the command once") {
    check_on_terminal(around_command({}), tell_each);
    check_on_terminal(around_command({}), tell_each_from_below);
    check_on_terminal(three_deep(), tell_each);
    check_in_ci(tell_each);
    check_in_ci(tell_each_from_below);
}

TEST_CASE("a signal to finally-run alone reaches the command once, beside a sentinel too") {
    check_on_terminal(around_command({}), tell_run);
    check_on_terminal(around_command(patient_bash), tell_run);
    check_on_terminal(three_deep(), tell_run);
    check_in_ci(tell_run);
    // Without a terminal the group of finally-run is not the command's.
    check_in_ci([](pid_t root, pid_t /*command*/, int signal) { ::kill(-::getpgid(root), signal); });
}

TEST_CASE("what a killed command leaves in the group of a terminal's job is told once to stop") {
    Tally tally{.last = "got TERM\n"};
    for (int round = 0; round < rounds(); ++round) {
        Terminal terminal(Run({"--grace", ".3", "--", "bash", "-c", "helper print-signals RTMIN+30 signals; true"}));
        const pid_t left = ready(terminal);
        tell_group(0, left, SIGTERM);
        terminal.finish();
        tally.add("got TERM\n");
    }
    tally.check("got TERM\n");
}

TEST_CASE("the sentinel is nobody's orphan and goes with its run, whatever ends it") {
    const auto sentinels = [] {
        std::size_t found = 0;
        for (const pid_t pid : leftovers())
            found += name_of(pid) == "sentinel\n" ? 1 : 0;
        return found;
    };
    for (const std::string orphans : {"wait", "kill", "leave"}) {
        CAPTURE(orphans);
        Terminal terminal(Run({"--orphans", orphans, "--", "true"}));
        CHECK(terminal.finish().status == 0);
        CHECK(sentinels() == 0);
    }
    Terminal terminal(Run({"-c", "echo cleaned", "--", "helper", "pause"}));
    const pid_t command = ready(terminal);
    wait_until("the sentinel goes by its name", [&] { return sentinels() == 1; });
    ::kill(terminal.pid(), SIGKILL);
    wait_for_end(command);
    wait_until("the sentinel is gone", [&] { return sentinels() == 0; });
    // One that somebody kills is replaced.
    Terminal other(Run({"--", "helper", "pause"}));
    ready(other);
    const auto sentinel = [&]() -> pid_t {
        for (const pid_t pid : below(other.pid())) {
            if (name_of(pid) == "sentinel\n")
                return pid;
        }
        return 0;
    };
    wait_until("the sentinel goes by its name", [&] { return sentinel() != 0; });
    const pid_t first = sentinel();
    ::kill(first, SIGKILL);
    wait_until("there is another one", [&] { return sentinel() != 0 && sentinel() != first; });
    ::kill(other.pid(), SIGTERM);
    CHECK(other.finish().signal == SIGTERM);
}

TEST_CASE("who asks for the end of its own run, as an application in a container does, is told to end") {
    const auto outcome = Run({"--grace", "0", "-c", "echo cleaned", "--", "bash", "-c",
                              "trap 'echo told; exit 3' TERM; kill -TERM $PPID; while :; do sleep .01; done"})
                             .run();
    CHECK(outcome.out == "told\n");
    CHECK(outcome.status == 3);
    CHECK(has_line(outcome.err, "cleaned")); // bash has said that its sleep was ended
}

TEST_CASE("what else the command's own group sends to finally-run does not come back to it") {
    auto process = Run({"--grace", "0", "--", "bash", "-c",
                        "trap 'echo back' USR1; kill -USR1 $PPID; kill -RTMIN+1 $PPID; trap 'echo end; exit 0' USR2; "
                        "echo READY; while :; do sleep .01; done"})
                       .start();
    process.wait_for_line("READY");
    process.signal(SIGUSR2);
    const auto outcome = process.finish();
    CHECK(count(outcome.out, "back") == 0);
    CHECK(outcome.status == 0);
}

} // namespace
} // namespace finally_run::e2e
