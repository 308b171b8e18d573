// Places where a lock or the state directory cannot be, or not safely.
#include "harness.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace finally_run::e2e {
namespace {

void check_refused(const Outcome& outcome) {
    CHECK(outcome.status == 125);
    CHECK(outcome.out.empty());
    REQUIRE(lines(outcome.err).size() == 1);
    CHECK(outcome.err.rfind("finally-run: ", 0) == 0);
}

const std::vector<std::string> locked_run{"--lock", "l", "-s", "echo up", "-c", "echo down", "--", "echo", "ran"};

TEST_CASE("a state directory that cannot be made gives 125 and one line and nothing runs") {
    fs::permissions(case_dir() / "state", fs::perms::owner_read | fs::perms::owner_exec);
    const std::string named = case_dir() / "state/finally-run";
    check_refused(Run(locked_run).env("FINALLY_RUN_STATE_DIR", named).before_exec(without_root_powers).run());
    check_refused(Run(locked_run).env("FINALLY_RUN_STATE_DIR", "/proc/no/such/place").run());
}

TEST_CASE("a state directory that is a symbolic link is refused") {
    fs::create_directory(work("real"));
    fs::permissions(work("real"), fs::perms::owner_all);
    fs::create_symlink(work("real"), state_dir());
    check_refused(Run(locked_run).run());
    CHECK(fs::is_empty(work("real")));
}

TEST_CASE("a state directory that others can write to or look into is refused") {
    fs::create_directory(state_dir());
    for (const mode_t mode : {0770, 0702, 0777, 0750, 0755}) {
        CAPTURE(mode);
        REQUIRE(::chmod(state_dir().c_str(), mode) == 0);
        check_refused(Run(locked_run).run());
    }
}

TEST_CASE("a state directory of another user is refused") {
    if (::geteuid() != 0)
        return;
    fs::create_directory(state_dir());
    REQUIRE(::chmod(state_dir().c_str(), 0700) == 0);
    REQUIRE(::chown(state_dir().c_str(), 54321, 54321) == 0);
    const auto outcome = Run(locked_run).env("FINALLY_RUN_STATE_DIR", state_dir()).run();
    check_refused(outcome);
    CHECK(outcome.err.find("FINALLY_RUN_STATE_DIR") != std::string::npos);
}

TEST_CASE("a file in the place of the state directory is refused") {
    write_file(state_dir(), "");
    check_refused(Run(locked_run).run());
}

TEST_CASE("a full state directory gives 125 and one line and nothing runs") {
    const auto outcome = Run::of(unshare({"-m"}, {"sh", "-c",
                                                  "mount -t tmpfs -o nr_inodes=2 none \"$XDG_STATE_HOME\" && mkdir -m "
                                                  "700 \"$XDG_STATE_HOME/finally-run\" && "
                                                  "exec finally-run --lock l -s 'echo up' -c 'echo down' -- echo ran"}))
                             .run();
    check_refused(outcome);
}

TEST_CASE("a read-only state directory gives 125 and one line and nothing runs") {
    const auto outcome =
        Run::of(
            unshare(
                {"-m"},
                {"sh", "-c",
                 "mkdir -m 700 \"$XDG_STATE_HOME/finally-run\" && mount -t tmpfs -o ro none \"$XDG_STATE_HOME\" && "
                 "exec finally-run --state-dir \"$XDG_STATE_HOME/finally-run\" --lock l -s 'echo up' -c 'echo down' -- "
                 "echo ran"}))
            .run();
    check_refused(outcome);
}

TEST_CASE("a default place that is read-only, or another user's, is passed over for the next one") {
    const auto read_only = Run::of(unshare({"-m"}, {"sh", "-c",
                                                    "mount -t tmpfs -o ro none \"$XDG_STATE_HOME\" && "
                                                    "exec finally-run -c 'echo down' -- sh -c 'echo "
                                                    "$FINALLY_RUN_JOURNAL'"}))
                               .run();
    CHECK(read_only.status == 0);
    CHECK(read_only.out.find((case_dir() / "home/.local/state/finally-run").string()) == 0);
    if (::geteuid() != 0)
        return;
    fs::create_directory(state_dir());
    REQUIRE(::chown(state_dir().c_str(), 54321, 54321) == 0);
    const auto strangers = Run({"--", "sh", "-c", "echo $FINALLY_RUN_JOURNAL"}).run();
    CHECK(strangers.status == 0);
    CHECK(strangers.out.find((case_dir() / "home/.local/state/finally-run").string()) == 0);
}

TEST_CASE("the state directory is where the option says, else the variable, else below the home directory") {
    CHECK(Run({"--state-dir", work("by-option").string(), "--lock", "l", "--", "true"})
              .env("FINALLY_RUN_STATE_DIR", work("by-variable"))
              .run()
              .status == 0);
    CHECK(fs::exists(work("by-option/l")));
    CHECK_FALSE(fs::exists(work("by-variable")));
    CHECK(Run({"--lock", "l", "--", "true"}).env("FINALLY_RUN_STATE_DIR", work("by-variable")).run().status == 0);
    CHECK(fs::exists(work("by-variable/l")));
    CHECK(Run({"--lock", "l", "--", "true"}).env("XDG_STATE_HOME", "").run().status == 0);
    CHECK(fs::exists(case_dir() / "home/.local/state/finally-run/l"));
}

TEST_CASE("after a clean run nothing but the lock file is left in the state directory") {
    CHECK(Run({"--lock", "l", "-s", "true", "-c", "true", "--temp-dir", "T", "--", "true"}).run().status == 0);
    std::vector<std::string> left;
    for (const auto& entry : fs::recursive_directory_iterator(state_dir())) {
        if (!entry.is_directory())
            left.push_back(entry.path().filename());
    }
    CHECK(left == std::vector<std::string>{"l"});
    CHECK(fs::file_size(state_dir() / "l") == 0);
}

TEST_CASE("a lock that cannot be opened gives 125 and the reason") {
    for (const char* path : {"./no/such/directory/lock", "/proc/1/no-such", "./dangling/../x"}) {
        CAPTURE(std::string(path));
        check_refused(Run({"--lock", path, "-c", "echo down", "--", "echo", "ran"}).run());
    }
    write_file(work("secret"), "", 0);
    check_refused(Run({"--lock", "./secret", "--", "echo", "ran"}).before_exec(without_root_powers).run());
}

TEST_CASE("a lock that is a FIFO does not hang") {
    make_fifo(work("fifo"));
    const auto outcome = Run({"--lock", "./fifo", "--", "echo", "ran"}).run();
    CHECK((outcome.status == 0 || outcome.status == 125));
}

TEST_CASE("an existing lock file in a sticky directory of strangers can be the lock") {
    if (::geteuid() != 0)
        return;
    fs::create_directory(work("sticky"));
    REQUIRE(::chmod(work("sticky").c_str(), 01777) == 0);
    write_file(work("sticky/lock"), "", 0666);
    REQUIRE(::chown(work("sticky/lock").c_str(), 54321, 54321) == 0);
    CHECK(Run({"--lock", "./sticky/lock", "--", "echo", "ran"}).run().out == "ran\n");
}

TEST_CASE("a lock name cannot leave the state directory") {
    for (const char* name : {"", ".", ".."}) {
        CAPTURE(std::string(name));
        check_refused(Run({"--lock", name, "--", "echo", "ran"}).run());
    }
}

TEST_CASE("escape sequences in a lock's name are made visible") {
    const auto outcome = Run({"--lock", "./no/such/\x1b[31mplace", "--", "echo", "ran"}).run();
    check_refused(outcome);
    CHECK(outcome.err.find('\x1b') == std::string::npos);
}

TEST_CASE("a program or a script can lock itself") {
    write_file(work("script"), "#!/bin/sh\necho ran\n", 0755);
    fs::copy_file("/bin/echo", work("program"));
    CHECK(Run({"--lock", "./script", "--", "./script"}).run().out == "ran\n");
    CHECK(Run({"--lock", "./program", "--", "./program", "ran"}).run().out == "ran\n");
    const auto nested = Run({"--lock", "./script", "--", "flock", "-n", "script", "echo", "ran"}).run();
    CHECK(nested.status == 1);
    CHECK(nested.out.empty());
}

TEST_CASE("a long path does not push the reason out of a message") {
    const auto outcome = Run({"--lock", work(std::string(220, 'a')) / "x", "--", "echo", "ran"}).run();
    check_refused(outcome);
    constexpr std::string_view reason = "No such file or directory\n";
    REQUIRE(outcome.err.size() > reason.size());
    CHECK(outcome.err.substr(outcome.err.size() - reason.size()) == reason);
}

} // namespace
} // namespace finally_run::e2e
