// finally-run in shell scripts: pipelines, substitutions, conditions.
#include "harness.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

TEST_CASE("a pipeline whose reader leaves ends") {
    const auto outcome = Run::script("finally-run -c 'echo cleaned' -- yes | head -1; echo ${PIPESTATUS[0]}").run();
    CHECK(outcome.out == "y\n141\n");
    CHECK(has_line(outcome.err, "cleaned"));
}

TEST_CASE("a command substitution holds the command's output alone") {
    const auto outcome =
        Run::script("x=$(finally-run -s 'echo noise' --cleanup 'echo noise' -- echo clean); echo \"[$x]\"").run();
    CHECK(outcome.out == "[clean]\n");
}

TEST_CASE("scripts see the command's status") {
    for (const char* shell : {"bash", "dash"}) {
        CAPTURE(std::string(shell));
        CHECK(Run::of({shell, "-c", "finally-run -- helper exit 3; echo $?"}).run().out == "3\n");
        CHECK(Run::of({shell, "-c", "finally-run -- helper die-of TERM; echo $?"}).run().out == "143\n");
        CHECK(Run::of({shell, "-c", "if finally-run -- false; then echo yes; else echo no; fi"}).run().out == "no\n");
        CHECK(Run::of({shell, "-ec", "finally-run -c 'echo cleaned' -- false; echo not reached"}).run().status == 1);
    }
}

TEST_CASE("a script goes on after a command that ended itself with 130 and stops after one that died of INT") {
    CHECK(Run::script("finally-run -- helper exit 130; echo went on").run().out == "went on\n");
    // bash takes a child that died of INT for its own INT only if it got one as well, so the whole group gets it.
    auto process = Run::script("finally-run -c 'echo cleaned' -- helper pause; echo went on").start();
    process.wait_for_line("READY");
    ::kill(-process.pid(), SIGINT);
    const auto outcome = process.finish();
    CHECK(outcome.signal == SIGINT);
    CHECK(outcome.out.find("went on") == std::string::npos);
    CHECK(has_line(outcome.err, "cleaned"));
}

TEST_CASE("finally-run can be the first line of a script and the last word of exec") {
    write_file(work("script"), "#!" + (case_dir() / "bin/finally-run").string() + " bash\necho \"in $0\"; exit 3\n",
               0755);
    CHECK(Run::of({"./script"}).run().status == 3);
    CHECK(Run::script("exec finally-run -- helper exit 4").run().status == 4);
}

TEST_CASE("xargs and env and timeout can start finally-run") {
    CHECK(Run::script("seq 20 | xargs -n1 -P4 finally-run -q --lock l -- helper count counter token").run().status ==
          0);
    CHECK(read_file(work("counter")) == "20");
    CHECK(Run::of({"env", "-i", binary(), "-c", "true", "--", "/bin/true"}).run().status == 0);
    CHECK(Run::of({"timeout", "30", "finally-run", "--", "helper", "exit", "6"}).run().status == 6);
}

TEST_CASE("a shell function of the caller is no command, and the message is one line") {
    const auto outcome = Run::script("f() { :; }; finally-run -- f").run();
    CHECK(outcome.status == 127);
    CHECK(lines(outcome.err).size() == 1);
}

TEST_CASE("runs nest and each cleans up its own") {
    const auto outcome = Run({"--lock", "outer", "-c", "echo outer", "--", "finally-run", "--lock", "inner", "-c",
                              "echo inner", "--", "helper", "exit", "5"})
                             .run();
    CHECK(outcome.status == 5);
    CHECK(outcome.err == "inner\nouter\n");
}

TEST_CASE("TERM to the outer of two nested runs cleans up both, inside first") {
    auto process = Run({"-c", "echo outer", "--", "finally-run", "-c", "echo inner", "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    process.signal(SIGTERM);
    const auto outcome = process.finish();
    CHECK(outcome.signal == SIGTERM);
    CHECK(outcome.err == "inner\nouter\n");
}

} // namespace
} // namespace finally_run::e2e
