// --defer: status 0 means that it runs.
#include "guard.hpp"

#include <csignal>

namespace finally_run::e2e {
namespace {

Run shell(std::vector<std::string> options, std::string script) {
    options.insert(options.end(), {"--", "sh", "-c", std::move(script)});
    return Run(std::move(options));
}

TEST_CASE("a deferred cleanup runs at the end of a run that has no option at all, in its caller's directory") {
    fs::create_directory(work("sub dir"));
    const auto outcome =
        shell({},
              "cd 'sub dir' && finally-run --defer 'pwd >>../log'; echo status $?; cd /; echo command >>$OLDPWD/../log")
            .run();
    CHECK(outcome.out == "status 0\n");
    CHECK(outcome.err.empty());
    CHECK(log_text() == "command\n" + work("sub dir").string() + "\n");
    CHECK(run_files().empty());
}

TEST_CASE("deferred cleanups are on the same stack as the others: the last one registered runs first") {
    const auto outcome = shell({"-c", "echo option >>log"}, "finally-run --defer 'echo one >>log'; "
                                                            "finally-run --defer 'echo two >>log'")
                             .run();
    CHECK(outcome.status == 0);
    CHECK(log_text() == "two\none\noption\n");
}

TEST_CASE("a setup, a grandchild and a daemon can defer too") {
    shell({"-s", "finally-run --defer 'echo setup >>log'"},
          "(sh -c 'finally-run --defer \"echo grandchild >>log\"; true'); "
          "setsid -w sh -c 'finally-run --defer \"echo daemon >>log\"; true'")
        .run();
    CHECK(log_text() == "daemon\ngrandchild\nsetup\n");
}

TEST_CASE("a deferred cleanup whose directory is gone runs in an empty one, and says so") {
    fs::create_directory(work("sub"));
    const auto outcome =
        shell({}, "cd sub; finally-run --defer 'ls -A | wc -l >>\"$HOME/../work/log\"'; rmdir ../sub").run();
    CHECK(log_text() == "0\n");
    CHECK(outcome.err.find("runs in an empty directory: " + work("sub").string() + ": ") != std::string::npos);
}

TEST_CASE("a cleanup deferred in a directory that is gone already runs in an empty one, and says so") {
    const auto outcome =
        shell({}, "mkdir sub; cd sub; rmdir ../sub; finally-run --defer 'ls -A | wc -l >>\"$HOME/../work/log\"'").run();
    CHECK(log_text() == "0\n");
    CHECK(outcome.err.find("runs in an empty directory: the one that it was registered in: No such file") !=
          std::string::npos);
}

TEST_CASE("a cleanup deferred in an inner run belongs to the inner one") {
    shell({"-c", "echo outer >>log"},
          "finally-run -c 'echo inner >>log' -- finally-run --defer 'echo deferred >>log'; echo command >>log")
        .run();
    CHECK(log_text() == "deferred\ninner\ncommand\nouter\n");
}

TEST_CASE("a hundred that defer at once are all heard") {
    const auto outcome =
        shell({}, "for i in $(seq 100); do finally-run --defer \"echo number $i >>log\" || echo lost & "
                  "done; wait")
            .run();
    CHECK(outcome.out.empty());
    const auto said = lines(log_text());
    CHECK(said.size() == 100);
    for (int i = 1; i <= 100; ++i)
        CHECK(has_line(log_text(), "number " + std::to_string(i)));
}

TEST_CASE("a deferred cleanup may be as long as a word can be, and hold any byte") {
    std::string bytes;
    for (int byte = 1; byte < 256; ++byte) {
        if (byte != '\'')
            bytes += static_cast<char>(byte);
    }
    std::string cmd = "printf %s '" + bytes + "' >>log; : ";
    cmd.append(131071 - cmd.size(), 'x');
    write_file(work("cmd"), cmd);
    const auto outcome = shell({}, "finally-run --defer \"$(cat cmd)\"").run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err.empty());
    CHECK(log_text() == bytes);
}

TEST_CASE("what a cleanup defers runs next") {
    const auto outcome = Run({"-c", "echo last >>log", "-c",
                              "finally-run --defer 'echo deferred >>log'; echo first >>log", "--", "true"})
                             .run();
    CHECK(outcome.status == 0);
    CHECK(log_text() == "first\ndeferred\nlast\n");
    fs::remove(work("log"));
    Run({"-c", "finally-run --defer \"finally-run --defer 'echo deepest >>log'; echo deeper >>log\"", "--", "true"})
        .run();
    CHECK(log_text() == "deeper\ndeepest\n");
}

TEST_CASE("a deferred cleanup of a killed run is run by its guardian, or by recovery") {
    constexpr const char* script = "finally-run --defer 'echo deferred by $FINALLY_RUN_BY >>log'; exec helper pause";
    auto process = shell({}, script).start();
    process.wait_for_line("READY");
    kill_supervisor(process);
    CHECK(log_text() == "deferred by guardian\n");
    const auto left = leave_unfinished(shell({}, script));
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "deferred by guardian\ndeferred by recovery\n");
    CHECK(run_files().empty());
}

TEST_CASE("who defers while the guardian cleans up is heard") {
    make_fifo(work("fifo"));
    auto process = Run({"-c", "echo last >>log", "-c",
                        std::string(waiting) + "; finally-run --defer 'echo deferred >>log'", "--", "helper", "pause"})
                       .start();
    process.wait_for_line("READY");
    const pid_t guardian = guardian_of(process.pid());
    process.signal(SIGKILL);
    wait_for_log("begun");
    release(work("fifo"));
    wait_for_end(guardian);
    CHECK(log_text() == "begun\nended\ndeferred\nlast\n");
}

TEST_CASE("somebody who defers on and on while the run ends is told of each whether it runs") {
    for (int round = 0; round < tries(4); ++round) {
        auto process =
            shell({"-c", "true"}, "(i=0; while test $i -lt 100 && finally-run --defer \"echo $i >>log\" 2>/dev/null; "
                                  "do echo $i >>acknowledged; i=$((i+1)); done; touch done) >/dev/null 2>&1 & "
                                  "until test -e acknowledged; do sleep .002; done")
                .start();
        CHECK(process.finish().status == 0);
        wait_for_file(work("done"));
        const auto acknowledged = lines(read_file(work("acknowledged")));
        const auto ran = lines(log_text());
        CHECK(acknowledged.size() == ran.size());
        for (const auto& number : acknowledged)
            CHECK(has_line(log_text(), number));
        for (const char* file : {"done", "acknowledged", "log"})
            fs::remove(work(file));
    }
}

} // namespace
} // namespace finally_run::e2e
