// What the caller of finally-run gets to know.
#include "harness.hpp"

#include <sys/resource.h>

#include <csignal>

namespace finally_run::e2e {
namespace {

TEST_CASE("the caller gets the command's own exit status") {
    for (const int status : {0, 1, 3, 77, 124, 125, 126, 127, 130, 143, 255}) {
        CAPTURE(status);
        const auto outcome = Run({"--", "helper", "exit", std::to_string(status)}).run();
        CHECK(outcome.status == status);
        CHECK(outcome.signal == 0);
        CHECK(outcome.err.empty());
    }
}

TEST_CASE("finally-run dies of the signal that killed the command, after the cleanups") {
    for (const auto& [name, number] : {std::pair{"TERM", SIGTERM},
                                       {"INT", SIGINT},
                                       {"HUP", SIGHUP},
                                       {"PIPE", SIGPIPE},
                                       {"USR1", SIGUSR1},
                                       {"ALRM", SIGALRM}}) {
        const std::string which = name;
        CAPTURE(which);
        const auto outcome = Run({"-c", "echo cleaned", "--", "helper", "die-of", name}).run();
        CHECK(outcome.signal == number);
        CHECK(has_line(outcome.err, "cleaned"));
    }
}

TEST_CASE("finally-run itself dumps no core when the command did") {
    for (const auto& [name, number] : {std::pair{"SEGV", SIGSEGV}, {"QUIT", SIGQUIT}, {"ABRT", SIGABRT}}) {
        const std::string which = name;
        CAPTURE(which);
        const auto outcome = Run({"-c", "echo cleaned", "--", "helper", "die-of", name})
                                 .before_exec([] {
                                     rlimit limit{};
                                     ::getrlimit(RLIMIT_CORE, &limit);
                                     limit.rlim_cur = limit.rlim_max;
                                     ::setrlimit(RLIMIT_CORE, &limit);
                                 })
                                 .run();
        CHECK(outcome.signal == number);
        CHECK_FALSE(outcome.core);
        CHECK(has_line(outcome.err, "cleaned"));
    }
}

TEST_CASE("a command killed by SIGKILL gives 137") {
    const auto outcome = Run({"-c", "echo cleaned", "--", "helper", "die-of", "KILL"}).run();
    CHECK(outcome.status == 137);
    CHECK(outcome.signal == 0);
    CHECK(has_line(outcome.err, "cleaned"));
}

TEST_CASE("a command that does not exist gives 127 and one line and the cleanups run") {
    for (const char* command : {"no-such-program-anywhere", "./no-such-file", "/no/such/file"}) {
        CAPTURE(std::string(command));
        const auto outcome = Run({"-c", "echo cleaned", "--", command}).run();
        CHECK(outcome.status == 127);
        CHECK(outcome.signal == 0);
        const auto said = lines(outcome.err);
        REQUIRE(said.size() == 2);
        CHECK(count(outcome.err, std::string("finally-run: ")) == 1);
        CHECK(outcome.err.find(command) != std::string::npos);
        CHECK(has_line(outcome.err, "cleaned"));
    }
}

TEST_CASE("a command that cannot be executed gives 126 and the cleanups run") {
    write_file(work("plain-file"), "#!/bin/sh\n", 0644);
    fs::create_directory(work("directory"));
    for (const char* command : {"./plain-file", "./directory"}) {
        CAPTURE(std::string(command));
        const auto outcome = Run({"-c", "echo cleaned", "--", command}).run();
        CHECK(outcome.status == 126);
        CHECK(has_line(outcome.err, "cleaned"));
        CHECK(lines(outcome.err).size() == 2);
    }
}

TEST_CASE("a script without a first line for the kernel is run by the shell, as shells and env do") {
    write_file(work("script"), "echo \"script $1\"; exit 4\n", 0755);
    const auto outcome = Run({"--", "./script", "one"}).run();
    CHECK(outcome.status == 4);
    CHECK(outcome.out == "script one\n");
}

TEST_CASE("strict turns success into 120 when a cleanup failed") {
    CHECK(Run({"--strict", "-c", "exit 1", "--", "true"}).run().status == 120);
    CHECK(Run({"--strict", "-c", "true", "--", "true"}).run().status == 0);
    CHECK(Run({"-c", "exit 1", "--", "true"}).run().status == 0);
}

TEST_CASE("strict leaves the status of a failed command alone") {
    CHECK(Run({"--strict", "-c", "exit 1", "--", "helper", "exit", "5"}).run().status == 5);
    CHECK(Run({"--strict", "-c", "exit 1", "--", "helper", "die-of", "TERM"}).run().signal == SIGTERM);
}

TEST_CASE("a run in which all went well says nothing") {
    const auto outcome =
        Run({"-l", "quiet", "-s", "true", "-c", "true", "--temp-dir", "WORK", "-r", "gone", "--", "echo", "out"}).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.out == "out\n");
    CHECK(outcome.err.empty());
}

} // namespace
} // namespace finally_run::e2e
