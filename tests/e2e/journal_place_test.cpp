// What is on disk during a run, and what is left of it.
#include "guard.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <csignal>

namespace finally_run::e2e {
namespace {

TEST_CASE("no file of a run is left after it, however it ended, if its cleanups succeeded") {
    for (const auto& args : {std::vector<std::string>{"--", "true"},
                             {"-c", "true", "--", "false"},
                             {"--failed-cleanups", "drop", "-c", "exit 1", "--", "true"},
                             {"-s", "false", "-c", "true", "--", "true"},
                             {"-c", "true", "--", "no-such-program-anywhere"},
                             {"-c", "true", "--", "helper", "die-of", "SEGV"},
                             {"-c", "true", "--timeout", ".05", "--", "helper", "pause"},
                             {"--temp-dir", "T", "--durable", "--", "finally-run", "--defer", "true"},
                             {"-c", "true", "--", "finally-run", "-c", "true", "--", "true"}}) {
        CAPTURE(args.back());
        Run(args).run();
        CHECK(run_files().empty());
    }
    auto process = Run({"-c", "true", "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    process.signal(SIGTERM);
    process.finish();
    CHECK(run_files().empty());
}

TEST_CASE("the journal of a run is private, and its command is told where it is") {
    auto process = Run({"--", "sh", "-c", "echo JOURNAL $FINALLY_RUN_JOURNAL; exec helper pause"})
                       .before_exec([] { ::umask(0); })
                       .start();
    const std::string line = process.wait_for_line("JOURNAL ");
    CHECK(line == "JOURNAL " + only_run_file().string());
    struct stat info {};
    CHECK(::stat(only_run_file().c_str(), &info) == 0);
    CHECK((info.st_mode & 07777U) == 0600);
    CHECK(::stat(runs_dir().c_str(), &info) == 0);
    CHECK((info.st_mode & 07777U) == 0700);
}

TEST_CASE("a run without a lock or a cleanup needs its state directory too, and begins nothing without it") {
    write_file(case_dir() / "state" / "finally-run", "");
    const auto outcome = Run({"-s", "touch ran", "--", "touch", "ran"}).run();
    CHECK(outcome.status == 125);
    CHECK(lines(outcome.err).size() == 1);
    CHECK(outcome.err.find(state_dir().string()) != std::string::npos);
    CHECK_FALSE(fs::exists(work("ran")));
    CHECK(leftovers().empty());
}

TEST_CASE("a cleanup that cannot be recorded any more is said and every cleanup still runs") {
    const std::string stop_growth = "prlimit --pid $PPID --fsize=600";
    const auto outcome = Run({"-l", "l", "-c", "echo last >>log", "-s", stop_growth, "-c", "echo first >>log", "--",
                              "sh", "-c", "exit 3"})
                             .run();
    CHECK(outcome.status == 3);
    CHECK(log_text() == "first\nlast\n");
    CHECK(outcome.err.find("finally-run: journal: a cleanup cannot be recorded, and is lost if finally-run and its "
                           "guardian are killed: File too large\n") != std::string::npos);

    const auto killed = Run({"-l", "l", "-c", "echo last by $FINALLY_RUN_BY >>log", "-s", stop_growth, "-c",
                             "echo first by $FINALLY_RUN_BY >>log", "--", "sh", "-c", "kill -9 $PPID; exec sleep 60"})
                            .run();
    wait_until("the guardian is done", [] { return run_files().empty(); });
    CHECK(log_text() == "first\nlast\nfirst by guardian\nlast by guardian\n");
}

TEST_CASE("a journal that somebody removes does not keep the cleanups from running") {
    const auto outcome = Run({"-c", "echo last >>log", "-c", "echo first >>log", "--", "sh", "-c",
                              "rm -r $(dirname $FINALLY_RUN_JOURNAL)"})
                             .run();
    CHECK(outcome.status == 0);
    CHECK(log_text() == "first\nlast\n");
}

// The calls of the supervisor and its children, one a line, up to the command's execve(2).
std::vector<std::string> calls_before_the_command(std::vector<std::string> options) {
    std::vector<std::string> words{
        "strace", "-f", "-s", "20", "-o", "calls", "-e", "trace=write,fdatasync,fsync,execve", "finally-run"};
    words.insert(words.end(), options.begin(), options.end());
    words.insert(words.end(), {"--", "/bin/echo", "the command"});
    CHECK(Run::of(words).run().out == "the command\n");
    auto calls = lines(read_file(work("calls")));
    const auto command = std::find_if(calls.begin(), calls.end(),
                                      [](const auto& call) { return call.find("execve(\"/bin/echo\"") != call.npos; });
    CHECK(command != calls.end());
    calls.erase(command, calls.end());
    return calls;
}

TEST_CASE("durable: each record is on the disk before what it covers begins" * doctest::skip(sanitized)) {
    bool synced = true;
    int records = 0;
    int directory_syncs = 0;
    for (const auto& call : calls_before_the_command({"--durable", "-c", "true", "-c", "true"})) {
        if (call.find("write(") != std::string::npos && call.find("\\036") != std::string::npos) {
            CHECK(synced);
            synced = false;
            ++records;
        }
        synced = synced || call.find("fdatasync(") != std::string::npos;
        directory_syncs += call.find("fsync(") != std::string::npos ? 1 : 0;
    }
    CHECK(synced);
    CHECK(records == 4);         // the run, two cleanups, the command
    CHECK(directory_syncs == 2); // .runs, and the state directory that it was made in
}

TEST_CASE("without durable nothing waits for the disk" * doctest::skip(sanitized)) {
    for (const auto& call : calls_before_the_command({"-c", "true"}))
        CHECK_MESSAGE(call.find("sync(") == std::string::npos, call);
}

} // namespace
} // namespace finally_run::e2e
