// Whose child the guardian is: nobody's, where whoever is given orphans reaps them; else that of finally-run.
#include "guard.hpp"

#include <algorithm>
#include <csignal>

namespace finally_run::e2e {
namespace {

// Process 1 of a new pid namespace is the helper under this name, and waits for all.
Run below(const std::string& init, std::vector<std::string> argv) {
    fs::create_symlink(FINALLY_RUN_HELPER, work(init));
    argv.insert(argv.begin(), {work(init), "reaping-survey"});
    return Run::of(unshare({"--pid", "--fork", "--mount-proc"}, argv));
}

// For a shell. A guardian has its name a moment after the command has begun.
constexpr const char* named = R"(named() { n=$(grep -l finally-guard /proc/[0-9]*/comm | cut -d/ -f3); test "$n"; }; )"
                              "until named; do sleep .01; done; ";
std::string parent_of_guardian() { return std::string(named) + "sed -n 's/^PPid:.//p' /proc/$n/status"; }

// What a tool does that ends a tree of processes from parent to child.
void kill_tree(pid_t root) {
    const auto children = [](pid_t parent) {
        std::vector<pid_t> found;
        for (const pid_t pid : leftovers()) {
            if (read_file("/proc/" + std::to_string(pid) + "/status")
                    .find("\nPPid:\t" + std::to_string(parent) + "\n") != std::string::npos)
                found.push_back(pid);
        }
        return found;
    };
    std::vector<pid_t> tree{root};
    for (std::size_t i = 0; i < tree.size(); ++i) {
        ::kill(tree[i], SIGSTOP);
        for (const pid_t child : children(tree[i]))
            tree.push_back(child);
    }
    for (const pid_t pid : tree)
        ::kill(pid, SIGKILL);
}

TEST_CASE("below a process 1 that reaps, the guardian is its child, and leaves no zombie") {
    const auto outcome =
        below("init", {"finally-run", "-c", "echo cleaned", "--", "sh", "-c", parent_of_guardian()}).run();
    CHECK(lines(outcome.out) == std::vector<std::string>{"1", "nobody else"});
    CHECK(outcome.err == "cleaned\n");
}

TEST_CASE("below a process 1 of which nothing is known, the guardian is a child of finally-run, and leaves no zombie") {
    const std::string both = "echo $PPID; " + parent_of_guardian();
    const auto outcome = below("application", {"finally-run", "-c", "echo cleaned", "--", "sh", "-c", both}).run();
    const auto said = lines(outcome.out);
    REQUIRE(said.size() == 3);
    CHECK(said[0] == said[1]);
    CHECK(said[2] == "nobody else");
}

TEST_CASE("a run inside a run has its guardian reaped by that, whatever process 1 is") {
    write_file(work("inner.sh"), std::string(named) +
                                     "until named && test $(echo $n | wc -w) = 2; do sleep .01; done; "
                                     "for g in $n; do sed -n 's/^PPid:.//p' /proc/$g/status; done | sort -u | wc -l\n");
    const std::string inner = "finally-run -- sh inner.sh; true";
    const auto outcome = below("application", {"finally-run", "--", "sh", "-c", inner}).run();
    CHECK(lines(outcome.out) == std::vector<std::string>{"1", "nobody else"}); // both have the outer one
}

TEST_CASE("whoever kills the tree of finally-run from parent to child does not reach the guardian, which cleans up") {
    auto process = below("init", {"finally-run", "-l", "l", "-c", witness, "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    const auto all = leftovers();
    const auto supervisor = std::ranges::find_if(
        all, [](pid_t pid) { return read_file("/proc/" + std::to_string(pid) + "/comm") == "finally-run\n"; });
    REQUIRE(supervisor != all.end());
    kill_tree(*supervisor);
    CHECK(has_line(process.finish().out, "nobody else"));
    CHECK(log_text() == "cleaned by guardian after lost\n");
    CHECK_FALSE(is_locked(state_dir() / "l"));
}

TEST_CASE("whoever kills the group of finally-run as soon as the command runs does not reach the guardian") {
    for (const std::string init : {"init", "application"}) {
        CAPTURE(init);
        // Four at once, so that a guardian has to wait until it runs.
        const std::string again =
            "killed() { for i in $(seq 25); do setsid -w finally-run -q -c 'echo cleaned' -- sh -c 'kill -9 -$PPID'; "
            "done; }; killed & killed & killed & killed & wait";
        CHECK(count(below(init, {"sh", "-c", again}).run().err, "cleaned\n") == 100);
    }
}

TEST_CASE("a guardian that is nobody's child is replaced when it is killed, and no zombie is left") {
    const std::string kill_it =
        std::string(named) + R"(g=$n; kill -9 $g; until named && test "$n" != "$g"; do sleep .01; done; kill -9 $PPID)";
    const auto outcome = below("init", {"finally-run", "-l", "l", "-c", witness, "--", "sh", "-c", kill_it}).run();
    CHECK(has_line(outcome.out, "nobody else"));
    CHECK(log_text() == "cleaned by guardian after lost\n");
}

} // namespace
} // namespace finally_run::e2e
