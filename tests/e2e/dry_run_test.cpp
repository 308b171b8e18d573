// --dry-run: the plan in words, and nothing of it.
#include "harness.hpp"

namespace finally_run::e2e {
namespace {

std::string said_of(std::vector<std::string> words) {
    words.insert(words.begin(), "--dry-run");
    const auto outcome = Run(words).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err.empty());
    CHECK(fs::is_empty(case_dir() / "state"));
    CHECK(fs::is_empty(case_dir() / "tmp"));
    CHECK(fs::is_empty(work()));
    return outcome.out;
}

TEST_CASE("a dry run says what would happen in its order and touches nothing") {
    CHECK(said_of({"--lock",
                   "deploy",
                   "-n",
                   "--lock-shared",
                   "db",
                   "--temp-dir",
                   "DATA",
                   "-c",
                   "touch down",
                   "-s",
                   "touch up",
                   "--on-success",
                   "touch well",
                   "--on-failure",
                   "touch ill",
                   "-r",
                   "part",
                   "-t",
                   "1h",
                   "--",
                   "sh",
                   "-c",
                   "touch \x1b[1mran"}) == R"(1. take the lock, if it is free: deploy
2. share the lock, if it is free: db
3. make a private directory, and set the variable: DATA
4. register the cleanup: touch down
5. run the setup: touch up
6. register the cleanup after success: touch well
7. register the cleanup after failure: touch ill
8. register the removal of: part
9. run the command, with a time limit: sh -c touch \e[1mran
10. remove: part
11. if it did not, run: touch ill
12. if all went well, run: touch well
13. run the cleanup: touch down
14. remove the directory of: DATA
15. release the lock: deploy
16. release the lock: db
)");
    CHECK(said_of({"-l", "deploy", "--", "true"}).starts_with("1. take the lock, waiting for it: deploy\n"));
}

TEST_CASE("a dry run warns of a cleanup to the right of the setup that it is for") {
    const std::string warning =
        "warning: helper down: is registered only after the setup 'helper up && true': put it to "
        "the left of it, or it does not run if that fails half-way\n";
    CHECK(said_of({"-s", "helper up && true", "-c", "helper down", "--", "true"}).ends_with(warning));
    CHECK(said_of({"-c", "helper down", "-s", "helper up && true", "--", "true"}).find("warning") == std::string::npos);
    CHECK(said_of({"-s", "helper up && true", "-c", "true", "--", "true"}).find("warning") == std::string::npos);
}

TEST_CASE("a dry run warns of programs that are not there") {
    const auto said = said_of({"-c", "no-such-cleanup now", "-s", "cd no-such-place", "--", "no-such-command"});
    CHECK(said.find("warning: no-such-cleanup: there is no such program in PATH\n") != std::string::npos);
    CHECK(said.find("warning: no-such-command: there is no such program in PATH\n") != std::string::npos);
    CHECK(said.find("warning: cd") == std::string::npos);
    CHECK(said_of({"--service", "true", "--ready", "no-such-check", "--ready", "tcp:7", "--", "true"})
              .find("warning: no-such-check: there is no such program in PATH\n") != std::string::npos);
    CHECK(said_of({"-l", "nowhere:x", "--", "true"})
              .find("warning: nowhere:x: there is no finally-run-lock-nowhere beside finally-run, ") !=
          std::string::npos);
    CHECK(said_of({"-l", "./nowhere:x", "--", "true"}).find("warning") == std::string::npos);
    CHECK(said_of({"--", "a | b"}).find("sh -c 'a | b'") != std::string::npos);
}

TEST_CASE("a dry run looks for programs as a run does") {
    CHECK(said_of({"--", ""}).find("warning: '': there is no such program in PATH\n") != std::string::npos);
    CHECK(said_of({"--", "/etc"}).find("warning: /etc: cannot be executed\n") != std::string::npos);
    CHECK(said_of({"--", "/etc/passwd"}).find("warning: /etc/passwd: cannot be executed\n") != std::string::npos);
    CHECK(Run({"--", "env", "-u", "PATH", binary(), "--dry-run", "--", "ls"}).run().out == "1. run the command: ls\n");
}

TEST_CASE("wrong usage is wrong in a dry run too") {
    const auto root = Run({"--dry-run", "--remove", "/", "--", "true"}).run();
    CHECK(root.status == 125);
    CHECK(root.err.find("--remove: /: ") != std::string::npos);
    CHECK(Run({"--dry-run", "--timeout", "soon", "--", "true"}).run().status == 125);
    CHECK(Run({"--dry-run"}).run().status == 125);
}

} // namespace
} // namespace finally_run::e2e
