// Where the state directory is when the usual places cannot be had, and a run that finds none.
#include "guard.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>

namespace finally_run::e2e {
namespace {

// In a mount namespace: read-only are the home, /var/tmp and what XDG_STATE_HOME names.
Run in_read_only_places(const std::string& script) {
    fs::create_directory(work("runtime"));
    return Run::of(unshare({"-m"}, {"sh", "-c",
                                    "for place in \"$HOME\" \"$XDG_STATE_HOME\" /var/tmp; do "
                                    "mount -t tmpfs -o ro none \"$place\" || exit 99; done; " +
                                        script}));
}

// Nor is there any other place.
Run without_a_place(const std::string& script) {
    return in_read_only_places("mount -t tmpfs -o ro none /dev/shm || exit 99; " + script);
}

TEST_CASE("where home and /var/tmp are read-only the state directory is below XDG_RUNTIME_DIR, else in /dev/shm") {
    const std::string run = "finally-run -v -l l -c 'echo cleaned' -- sh -c 'echo $FINALLY_RUN_JOURNAL'";
    const std::string runtime = work("runtime") / "finally-run";
    auto outcome = in_read_only_places(run).env("XDG_RUNTIME_DIR", work("runtime")).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.out.find(runtime + "/.runs/") == 0);
    CHECK(has_line(outcome.err, "finally-run: state directory: " + runtime));
    CHECK(fs::exists(runtime + "/l"));

    const std::string shm = "/dev/shm/finally-run-"; // and the user, who may be another one in there
    outcome = in_read_only_places("mount -t tmpfs none /dev/shm && " + run).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.out.find(shm) == 0);
    CHECK(outcome.err.find("finally-run: state directory: " + shm) != std::string::npos);
}

TEST_CASE("a run that has nothing to keep goes on where there is no place for a state directory at all") {
    const auto plain = without_a_place("exec finally-run -- sh -c 'echo ran; exit 7'").run();
    CHECK(plain.status == 7);
    CHECK(plain.out == "ran\n");
    CHECK(plain.err.empty());
    // A lock that is no file of the state directory is not kept there.
    const auto locked = without_a_place("finally-run -v -l ./lock -- flock -n ./lock true").run();
    CHECK(locked.status == 1);
    CHECK(has_line(locked.err, "finally-run: state directory: none can be had (FINALLY_RUN_STATE_DIR): --defer cannot "
                               "register anything"));
    const auto deferred = without_a_place("finally-run -- finally-run --defer true").run();
    CHECK(deferred.status == 125);
    CHECK(lines(deferred.err).size() == 1);
}

TEST_CASE("a run that has something to keep does not begin where there is no place for it") {
    for (const std::string options :
         {"-c true", "-s 'touch ran'", "-l l", "--temp-dir T", "--state-dir /dev/shm/here", "--state-dir /proc/none"}) {
        CAPTURE(options);
        const auto outcome = without_a_place("exec finally-run " + options + " -- touch ran").run();
        CHECK(outcome.status == 125);
        CHECK(lines(outcome.err).size() == 1);
        CHECK(outcome.err.find("FINALLY_RUN_STATE_DIR") != std::string::npos);
        CHECK_FALSE(fs::exists(work("ran")));
    }
}

TEST_CASE("the guardian of a run without a state directory ends the command all the same") {
    auto process = without_a_place("exec finally-run -- helper pause").start();
    const auto command = static_cast<pid_t>(number_after(process.wait_for_line("READY"), "READY "));
    static_cast<void>(kill_supervisor(process));
    CHECK_FALSE(alive(command));
    CHECK(leftovers().empty());
}

TEST_CASE("the status of a state directory that cannot be written to shows each run as it is") {
    const auto left = leave_unfinished(Run({"-c", "true", "--", "helper", "pause"}));
    Run({"-c", "exit 7", "--", "true"}).run();
    auto killed = Run({"-c", "true", "--", "helper", "pause"}).start();
    killed.wait_for_line("READY");
    kill_supervisor(killed);
    auto process = Run({"-c", "true", "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    const auto outcome =
        Run::of(unshare({"-m"}, {"sh", "-c",
                                 "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\" && "
                                 "! touch \"$0/x\" 2>/dev/null && exec finally-run --state-dir \"$0\" --status --json",
                                 state_dir()}))
            .run();
    REQUIRE_MESSAGE(outcome.status == 0, outcome.err);
    const auto seen = nlohmann::json::parse(outcome.out);
    std::vector<std::string> states;
    for (const auto& run : seen.at("runs"))
        states.push_back(run.at("state"));
    std::sort(states.begin(), states.end());
    CHECK(states == std::vector<std::string>{"failed", "running", "unfinished"});
    CHECK(seen.at("ended").size() == 1);
}

} // namespace
} // namespace finally_run::e2e
