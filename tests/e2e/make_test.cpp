// finally-run in Makefiles.
#include "pty.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

// Eight targets in sub, each of which notes how many of them run at once.
void write_sub_project() {
    fs::create_directory(work("sub"));
    write_file(work("sub/Makefile"),
               "all: 1 2 3 4 5 6 7 8\n"
               "1 2 3 4 5 6 7 8:\n\t@touch running.$@; ls | grep -c running >>seen; sleep .05; rm running.$@\n");
}

int most_at_once() {
    int most = 0;
    for (const auto& line : lines(read_file(work("sub/seen"))))
        most = std::max(most, std::atoi(line.c_str()));
    return most;
}

TEST_CASE("a sub-make behind finally-run takes part in the jobserver when the recipe has a plus") {
    write_sub_project();
    write_file(work("Makefile"), "all:\n\t+finally-run --lock l --temp-dir T -c true -- $(MAKE) -C sub\n");
    const auto outcome = Run::of({"make", "-j3"}).run();
    CHECK(outcome.status == 0);
    CHECK(count(outcome.err, "jobserver unavailable") == 0);
    CHECK(count(outcome.err, "INTERNAL") == 0);
    CHECK(most_at_once() > 1);
    CHECK(most_at_once() <= 3);
}

TEST_CASE("job tokens all come back from several sub-makes behind finally-run") {
    write_sub_project();
    fs::copy(work("sub"), work("sub2"));
    write_file(work("Makefile"), "all: one two\n"
                                 "one:\n\t+finally-run -s true -c true -- $(MAKE) -C sub\n"
                                 "two:\n\t+finally-run -s true -c true -- $(MAKE) -C sub2\n");
    const auto outcome = Run::of({"make", "-j4"}).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err == "");
}

TEST_CASE("a sub-make without a plus is not fed finally-run's own files as a jobserver") {
    write_sub_project();
    write_file(work("Makefile"),
               "M = $(MAKE)\nall:\n\tfinally-run --lock l --temp-dir T --report r -c true -- $M -C sub\n");
    const auto outcome = Run::of({"make", "-j3"}).run();
    CHECK(outcome.status == 0);
    CHECK(lines(read_file(work("sub/seen"))).size() == 8);
    CHECK(read_file(state_dir() / "l").empty());
}

TEST_CASE("make sees the status of a failed recipe and of an interrupted one") {
    write_file(work("Makefile"), "fails:\n\t@finally-run -c 'echo cleaned' -- sh -c 'exit 3'\n"
                                 "dies:\n\t@finally-run -c 'echo cleaned' -- helper die-of TERM\n");
    const auto fails = Run::of({"make", "fails"}).run();
    CHECK(fails.status == 2);
    CHECK(fails.err.find("Error 3") != std::string::npos);
    const auto dies = Run::of({"make", "dies"}).run();
    CHECK(dies.status == 2);
    CHECK(dies.err.find("Terminated") != std::string::npos);
    CHECK(has_line(dies.err, "cleaned"));
}

TEST_CASE("TERM to make alone stops and cleans up the recipe") {
    write_file(work("Makefile"), "all:\n\t@finally-run -c 'echo cleaned' -- helper pause\n");
    auto make = Run::of({"make"}).start();
    make.wait_for_line("READY");
    make.signal(SIGTERM);
    make.wait_for_err("cleaned");
    make.finish();
    wait_until("nothing is left", [] { return leftovers().empty(); });
}

TEST_CASE("a make that is killed in a CI takes its recipe along, cleaned up") {
    write_file(work("Makefile"), "all:\n\t@finally-run -c 'echo cleaned' -- helper pause\n");
    auto make = Run::of({"make"}).env("CI", "true").start();
    make.wait_for_line("READY");
    make.signal(SIGKILL);
    make.wait_for_err("cleaned");
    wait_until("nothing is left", [] { return leftovers().empty(); });
}

// A project whose compiler never ends, but leaves what compilers leave.
void write_project() {
    write_file(work("cc.sh"),
               "#!/bin/sh\necho \"compiling $1\" | tee -a \"$WORK/log\"\ntouch \"$WORK/$1.o\"\nexec helper pause\n",
               0755);
    fs::create_directory(work("project"));
    write_file(work("project/Makefile"), "all: a b c d\na b c d:\n\t@../cc.sh $@\n");
    write_file(work("Makefile"), "build:\n"
                                 "\t+@finally-run --lock build --temp-dir WORK -c 'cp \"$$WORK/log\" copied-log' -- "
                                 "$(MAKE) --no-print-directory -C project\n");
}

TEST_CASE(
    "a make stopped by a typed Ctrl+C in mid-compile leaves no compiler and no tree, but its log and a free lock") {
    write_project();
    Shell shell;
    shell.enter("make -j2 build");
    std::vector<pid_t> compilers;
    for (int i = 0; i < 2; ++i) {
        shell.wait_for("READY ");
        compilers.push_back(static_cast<pid_t>(number_after(shell.wait_for("\n"), "")));
    }
    CHECK_FALSE(fs::is_empty(case_dir() / "tmp"));
    CHECK(is_locked(state_dir() / "build"));
    shell.type(ctrl_c);
    const auto said = shell.enter("echo status $?");
    CHECK(said.find("Interrupt") != std::string::npos);
    shell.wait_for("status 130\n");
    for (const pid_t compiler : compilers)
        CHECK_FALSE(alive(compiler));
    CHECK(count(read_file(work("copied-log")), "compiling ") == 2);
    CHECK(fs::is_empty(case_dir() / "tmp"));
    CHECK_FALSE(is_locked(state_dir() / "build"));
    CHECK(leftovers().size() == 1);
}

TEST_CASE("a build that fails keeps its status and leaves its log") {
    write_project();
    write_file(work("cc.sh"), "#!/bin/sh\necho \"compiling $1\" >>\"$WORK/log\"\ntest $1 != c\n", 0755);
    const auto outcome = Run::of({"make", "-j2", "build"}).run();
    CHECK(outcome.status == 2);
    CHECK(read_file(work("copied-log")).find("compiling c") != std::string::npos);
    CHECK(fs::is_empty(case_dir() / "tmp"));
}

} // namespace
} // namespace finally_run::e2e
