// Locks: who has them, for how long, and with whom they work together.
#include "harness.hpp"

#include <sys/stat.h>

#include <csignal>

namespace finally_run::e2e {
namespace {

// 1 if somebody has the lock, 0 if not.
std::string try_lock(const fs::path& path) { return "flock -n '" + path.string() + "' true"; }

TEST_CASE("a named lock is a file in the state directory that flock sees as locked") {
    CHECK(Run({"--lock", "l", "--", "sh", "-c", try_lock(state_dir() / "l")}).run().status == 1);
    CHECK_FALSE(is_locked(state_dir() / "l"));
    CHECK(fs::status(state_dir()).permissions() == fs::perms::owner_all);
}

TEST_CASE("a lock by path works with flock both ways") {
    write_file(work("file"), "content");
    CHECK(Run({"--lock", "./file", "--", "flock", "-n", "file", "true"}).run().status == 1);
    CHECK(Run::of({"flock", "file", "finally-run", "-n", "--lock", "./file", "--", "true"}).run().status == 75);
    CHECK(Run::of({"flock", "-s", "file", "finally-run", "-n", "--lock-shared", "./file", "--", "true"}).run().status ==
          0);
    CHECK(Run({"--lock-shared", "./file", "--", "flock", "-n", "-s", "file", "true"}).run().status == 0);
    CHECK(read_file(work("file")) == "content");
}

TEST_CASE("a directory can be the lock") {
    CHECK(Run({"--lock", work().string(), "--", "flock", "-n", work(), "true"}).run().status == 1);
    CHECK(Run({"--lock", ".//", "--", "flock", "-n", work(), "true"}).run().status == 1);
}

TEST_CASE("a missing lock file is created with the mode that the umask leaves, and stays") {
    CHECK(Run({"--lock", "./new", "--", "true"}).before_exec([] { ::umask(027); }).run().status == 0);
    CHECK(static_cast<int>(fs::status(work("new")).permissions()) == 0640);
    CHECK(fs::file_size(work("new")) == 0);
}

TEST_CASE("a lock file that may only be read can be the lock") {
    write_file(work("file"), "content", 0444);
    CHECK(
        Run({"--lock", "./file", "--", "flock", "-n", "file", "true"}).before_exec(without_root_powers).run().status ==
        1);
}

TEST_CASE("a lock whose path is a symbolic link locks what the link leads to") {
    write_file(work("file"), "");
    fs::create_symlink("file", work("link"));
    CHECK(Run({"--lock", "./link", "--", "flock", "-n", "file", "true"}).run().status == 1);
}

TEST_CASE("a held lock gives 75, or the status that was asked for, and nothing runs") {
    auto holder = Run({"--lock", "l", "--", "helper", "pause"}).start();
    holder.wait_for_line("READY");
    for (const auto& [words, status] :
         std::vector<std::pair<std::vector<std::string>, int>>{{{"-n"}, 75},
                                                               {{"--no-wait"}, 75},
                                                               {{"-w", "0"}, 75},
                                                               {{"-n", "-E", "9"}, 9},
                                                               {{"-n", "--conflict-exit-code=0"}, 0}}) {
        auto all = words;
        all.insert(all.end(),
                   {"--lock", "l", "-s", "echo up", "-c", "echo down", "--temp-dir", "T", "--", "echo", "ran"});
        const auto outcome = Run(all).run();
        CHECK(outcome.status == status);
        CHECK(outcome.out.empty());
        REQUIRE(lines(outcome.err).size() == 1);
        CHECK(outcome.err.find("l") != std::string::npos);
    }
    CHECK(Run({"-n", "--lock", "l", "--", "true"}).env("FINALLY_RUN_CONFLICT_EXIT_CODE", "11").run().status == 11);
    CHECK(Run({"--lock", "l", "--", "true"}).env("FINALLY_RUN_NO_WAIT", "1").run().status == 75);
    CHECK(fs::is_empty(case_dir() / "tmp"));
}

TEST_CASE("several runs share a shared lock and keep an exclusive one out") {
    auto first = Run({"--lock-shared", "l", "--", "helper", "pause"}).start();
    first.wait_for_line("READY");
    CHECK(Run({"-n", "--lock-shared", "l", "--", "true"}).run().status == 0);
    CHECK(Run({"-n", "--lock", "l", "--", "true"}).run().status == 75);
}

TEST_CASE("a lock is held until the last cleanup has ended") {
    const auto outcome =
        Run({"--lock", "l", "-c", try_lock(state_dir() / "l") + "; echo $?", "-c", "true", "--", "true"}).run();
    CHECK(outcome.err == "1\n");
    CHECK_FALSE(is_locked(state_dir() / "l"));
}

TEST_CASE("neither a daemon of the command nor one of a step keeps the lock") {
    CHECK(Run({"--lock", "l", "-s", "helper daemon setup-pid", "--", "helper", "daemon", "pid"}).run().status == 0);
    CHECK(alive(static_cast<pid_t>(number_after(read_file(work("pid")), ""))));
    CHECK(alive(static_cast<pid_t>(number_after(read_file(work("setup-pid")), ""))));
    CHECK_FALSE(is_locked(state_dir() / "l"));
}

TEST_CASE("a lock that an outer run holds is refused at once") {
    const auto nested = [](const std::string& outer, const std::string& inner) {
        return Run({outer, "l", "--", "sh", "-c", "finally-run -E 33 " + inner + " l -- echo ran; exit $?"}).run();
    };
    for (const auto& [outer, inner] :
         {std::pair{"--lock", "--lock"}, {"--lock", "--lock-shared"}, {"--lock-shared", "--lock"}}) {
        const std::string both = std::string(outer) + " " + inner;
        CAPTURE(both);
        const auto outcome = nested(outer, inner);
        CHECK(outcome.status == 33);
        CHECK(outcome.out.empty());
        CHECK(lines(outcome.err).size() == 1);
    }
}

TEST_CASE("a lock that an outer run holds under another name of the same file is refused at once") {
    write_file(work("file"), "");
    fs::create_symlink("file", work("link"));
    const auto outcome = Run({"--lock", "./file", "--", "finally-run", "--lock", "x", "--", "finally-run", "--lock",
                              "./link", "--", "echo", "ran"})
                             .run();
    CHECK(outcome.status == 75);
    CHECK(outcome.out.empty());
}

TEST_CASE("a lock that an outer run holds is refused at once in a cleanup too") {
    const auto outcome = Run({"--strict", "--lock", "l", "-c", "finally-run --lock l -- echo ran", "--", "true"}).run();
    CHECK(outcome.status == 120);
    CHECK_FALSE(has_line(outcome.err, "ran"));
}

TEST_CASE("what was detached from a run waits for its lock like anybody") {
    make_fifo(work("fifo"));
    auto process = Run({"--lock", "l", "--", "sh", "-c",
                        "setsid nohup finally-run --lock l -- touch followed >/dev/null 2>&1 & read x <fifo"})
                       .start();
    wait_for_file(state_dir() / "l");
    wait_for_lock_waiters(state_dir() / "l", 1);
    release(work("fifo"));
    CHECK(process.finish().status == 0);
    wait_for_file(work("followed"));
}

TEST_CASE("an inner run may take another lock") {
    CHECK(Run({"--lock", "outer", "--", "finally-run", "--lock", "inner", "--", "echo", "ran"}).run().out == "ran\n");
}

TEST_CASE("the same lock given twice is one lock") {
    CHECK(Run({"-n", "--lock", "l", "--lock", "l", "--", "echo", "ran"}).run().out == "ran\n");
    CHECK(Run({"-n", "--lock", "l", "--lock-shared", "l", "--", "sh", "-c",
               "flock -n -s " + (state_dir() / "l").string() + " true"})
              .run()
              .status == 1);
}

TEST_CASE("two runs that want the same locks in opposite order never deadlock") {
    std::vector<Process> runs;
    for (int i = 0; i < 20; ++i) {
        runs.push_back(Run({"--lock", i % 2 == 0 ? "a" : "b", "--lock", i % 2 == 0 ? "b" : "a", "--", "helper", "count",
                            "counter", "token"})
                           .start());
    }
    for (auto& run : runs)
        CHECK(run.finish().status == 0);
    CHECK(read_file(work("counter")) == "20");
}

TEST_CASE("of fifty contenders one at a time has the lock") {
    std::vector<Process> runs;
    for (int i = 0; i < 50; ++i) {
        runs.push_back(
            Run({"-q", "--lock", "l", "-c", "helper count counter token", "--", "helper", "count", "counter", "token"})
                .start());
    }
    for (auto& run : runs) {
        const auto outcome = run.finish();
        CHECK(outcome.status == 0);
        CHECK(outcome.err.empty());
    }
    CHECK(read_file(work("counter")) == "100");
}

TEST_CASE("a lock that an outer run holds is refused at once whatever finally-run is called there") {
    fs::create_symlink(binary(), case_dir() / "bin" / "fr");
    const auto outcome = Run::of({"fr", "--lock", "l", "--", "fr", "--lock", "l", "--", "echo", "ran"}).run();
    CHECK(outcome.status == 75);
    CHECK(outcome.out.empty());
}

TEST_CASE("a lock that an outer run of another user holds is refused at once") {
    if (::geteuid() != 0)
        return;
    // The stranger must be able to find and start it, wherever it was built.
    fs::permissions(case_dir(), fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
    fs::copy_file(binary(), work("run"));
    write_file(work("lock"), "", 0666);
    const auto outcome = Run({"--lock", "./lock", "--", "setpriv", "--reuid", "12345", "--clear-groups", "./run",
                              "--lock", "./lock", "--", "echo", "ran"})
                             .run();
    CHECK(outcome.status == 75);
    CHECK(outcome.out.empty());
}

} // namespace
} // namespace finally_run::e2e
