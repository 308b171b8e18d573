// Locks at an engine that machines share.
#include "engine.hpp"

#include "engine/await.hpp"

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

namespace finally_run::e2e {
namespace {

TEST_CASE("a lock at an engine is held until the last cleanup has ended and all are told its token") {
    const auto outcome =
        on_a({"-c", witness_of_lock, "-s", "echo setup $FINALLY_RUN_LOCK $FINALLY_RUN_LOCK_TOKEN >>log", "-l", "file:x",
              "--", "sh", "-c", "echo command $FINALLY_RUN_LOCK $FINALLY_RUN_LOCK_TOKEN >>log; exit 7"})
            .run();
    CHECK(outcome.status == 7);
    CHECK(outcome.err == "");
    CHECK(log_text() == "setup held 1\ncommand held 1\nby supervisor after failure, lock held 1, taken\n");
    CHECK_FALSE(is_held());
    CHECK(leftovers().empty());
    CHECK(on_a({"-l", "file:x", "--", "sh", "-c", "exit $FINALLY_RUN_LOCK_TOKEN"}).run().status == 2);
}

TEST_CASE("without a lock at an engine the cleanups read that there is none") {
    CHECK(on_a({"-c", "echo \"<${FINALLY_RUN_LOCK-unset}>\" >>log", "--", "true"}).run().status == 0);
    CHECK(log_text() == "<>\n");
}

TEST_CASE("an engine without a helper is refused before anything is touched and those that are there are named") {
    const auto outcome = on_a({"-l", "nowhere:x", "-c", "touch ran", "--", "touch", "ran"}).run();
    CHECK(outcome.status == 125);
    CHECK(outcome.err.starts_with(
        "finally-run: --lock: nowhere:x: there is no finally-run-lock-nowhere beside finally-run, in "
        "../libexec/finally-run or in PATH; lock engines found: "));
    CHECK(outcome.err.find("file") != std::string::npos);
    CHECK_FALSE(fs::exists(work("ran")));
    CHECK_FALSE(fs::exists(case_dir() / "here"));
}

TEST_CASE("who waits on another machine is told who holds the lock and gets it when that one has cleaned up") {
    make_fifo(work("fifo"));
    auto holder = on_a({"-l", "file:x", "-c", "read x <fifo; echo cleaned >>log", "--", "helper", "pause"}).start();
    holder.wait_for_line("READY");
    auto waiter = on_b({"-l", "file:x", "--", "sh", "-c", "echo in >>log"}).start();
    const std::string line = waiter.wait_for_err("for lock: file:x: host ");
    CHECK(line.find("pid " + std::to_string(holder.pid()) + ": helper pause") != std::string::npos);
    holder.signal(SIGTERM);
    release(work("fifo"));
    CHECK(waiter.finish().status == 0);
    CHECK(holder.finish().signal == SIGTERM);
    CHECK(log_text() == "cleaned\nin\n");
}

TEST_CASE("who holds a lock is said as soon as its engine has said it") {
    make_fifo(work("fifo"));
    make_fifo(work("next"));
    auto waiter = with_helper("read x <fifo; echo waiting somebody; read x <next; echo held 1; cat >/dev/null",
                              {"-l", "odd:x", "--", "true"})
                      .start();
    waiter.wait_for_err("waiting 1s for lock: odd:x: its engine has not said who holds it");
    release(work("fifo"));
    const std::string line = waiter.wait_for_err("s for lock: odd:x: somebody");
    CHECK(std::stoi(line.substr(line.find("waiting ") + 8)) < 10); // when the next line would have been due
    release(work("next"));
    CHECK(waiter.finish().status == 0);
}

TEST_CASE("a lock at an engine that is not had gives 75 or the status that was asked for and nothing runs") {
    auto holder = on_a({"-l", "file:x", "--", "helper", "pause"}).start();
    holder.wait_for_line("READY");
    for (const auto& [words, status] : std::vector<std::pair<std::vector<std::string>, int>>{
             {{"-n"}, 75}, {{"-w", "100ms"}, 75}, {{"-n", "-E", "3"}, 3}}) {
        auto args = words;
        args.insert(args.end(), {"-l", "file:x", "-c", "touch ran", "--", "touch", "ran"});
        const auto outcome = on_b(args).run();
        CHECK(outcome.status == status);
        // In so short a time the engine may not have answered.
        CHECK((words.front() == "-w" || outcome.err.starts_with("finally-run: lock: file:x: held by host ")));
    }
    CHECK_FALSE(fs::exists(work("ran")));
    // On the same machine the local lock of that name comes first.
    CHECK(on_a({"-n", "-l", "file:x", "--", "touch", "ran"}).run().status == 75);
    holder.signal(SIGTERM);
    holder.finish();
}

TEST_CASE("a signal ends the wait for a lock at an engine") {
    auto holder = on_a({"-l", "file:x", "--", "helper", "pause"}).start();
    holder.wait_for_line("READY");
    auto waiter = on_b({"-l", "file:x", "--", "touch", "ran"}).start();
    waiter.wait_for_err("waiting");
    waiter.signal(SIGTERM);
    CHECK(waiter.finish().signal == SIGTERM);
    CHECK_FALSE(fs::exists(work("ran")));
    holder.signal(SIGTERM);
    holder.finish();
}

TEST_CASE("the loss of a lock stops the command and no step begins and the cleanups run and know it") {
    for (const std::string_view killed : {"helper", "keeper"}) {
        fs::remove(work("log"));
        auto process = on_a({"-l", "file:x", "-c",
                             "echo $FINALLY_RUN_RESULT $FINALLY_RUN_EXIT_CODE $FINALLY_RUN_LOCK "
                             "$FINALLY_RUN_BY >>log",
                             "--", "helper", "pause"})
                           .start();
        process.wait_for_line("READY");
        ::kill(killed == "helper" ? helper_pid() : keeper_pid(), SIGKILL);
        const auto outcome = process.finish();
        CHECK(outcome.status == 121);
        CHECK(outcome.signal == 0);
        CHECK(outcome.err.find("finally-run: lock lost: file:x: its ") != std::string::npos);
        CHECK(outcome.err.find(", sent TERM\n") != std::string::npos);
        CHECK(log_text() == "lock-lost 121 lost supervisor\n");
        // Of a killed keeper the kernel ends the helper.
        wait_until("nobody is left", [] { return leftovers().empty(); });
        CHECK_FALSE(is_held());
    }
}

TEST_CASE("the loss of a lock while orphans are waited for stops these and is what ended the run") {
    auto process = on_a({"-l", "file:x", "--orphans", "wait", "--grace", ".1", "-c",
                         "kill -0 $(cat pid) 2>/dev/null || echo dead after $FINALLY_RUN_RESULT >>log", "--", "helper",
                         "orphan", "pid", "TERM"})
                       .start();
    wait_for_orphan_of(process.pid());
    ::kill(helper_pid(), SIGKILL);
    const auto outcome = process.finish();
    CHECK(outcome.status == 121);
    CHECK(outcome.err.find("lock lost: file:x: its helper was killed by KILL, sent TERM\n") != std::string::npos);
    CHECK(log_text() == "dead after lock-lost\n");
}

TEST_CASE("a lock that is lost during a setup keeps the next step from beginning") {
    make_fifo(work("fifo"));
    auto process = on_a({"-l", "file:x", "-c", "echo cleaned $FINALLY_RUN_RESULT >>log", "-s",
                         "trap '' TERM; echo READY; read x <fifo", "-s", "touch ran", "--", "touch", "ran"})
                       .start();
    process.wait_for_err("READY");
    ::kill(helper_pid(), SIGKILL);
    process.wait_for_err("lock lost");
    release(work("fifo"));
    CHECK(process.finish().status == 121);
    CHECK(log_text() == "cleaned lock-lost\n");
    CHECK_FALSE(fs::exists(work("ran")));
}

TEST_CASE("a lock that is lost after the command changes no status and the next cleanup knows it") {
    make_fifo(work("fifo"));
    auto process = on_a({"-l", "file:x", "-c", "echo second $FINALLY_RUN_LOCK $FINALLY_RUN_RESULT >>log", "-c",
                         "echo first $FINALLY_RUN_LOCK >>log; read x <fifo", "--", "sh", "-c", "exit 3"})
                       .start();
    wait_for_log("first");
    const pid_t keeper = keeper_pid();
    ::kill(keeper, SIGKILL);
    wait_for_end(keeper);
    release(work("fifo"));
    const auto outcome = process.finish();
    CHECK(outcome.status == 3);
    CHECK(outcome.err.find("finally-run: lock lost: file:x: its keeper is gone\n") != std::string::npos);
    CHECK(log_text() == "first held\nsecond lost failure\n");
}

TEST_CASE("a helper that is stopped is continued") {
    auto process = on_a({"-l", "file:x", "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    ::kill(helper_pid(), SIGSTOP);
    wait_until("it runs again", [] { return state_of(helper_pid()) == 'S'; });
    process.signal(SIGTERM);
    CHECK(process.finish().signal == SIGTERM);
    CHECK_FALSE(is_held());
}

TEST_CASE("the guardian keeps the lock at the engine until it has cleaned up") {
    auto process = on_a({"-l", "file:x", "-c", witness_of_lock, "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    kill_supervisor(process);
    wait_until("the keeper has released it", [] { return !is_held(); });
    CHECK(log_text() == "by guardian after lost, lock held 1, taken\n");
    CHECK_FALSE(fs::exists(engine_file("x.unclean")));
    wait_until("nobody is left", [] { return leftovers().empty(); });
}

TEST_CASE("the keeper finishes the run when supervisor and guardian are gone and then releases the lock") {
    auto process = on_a({"-l", "file:x", "-l", "local", "-c", witness_of_lock, "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    kill_both(process);
    wait_until("the keeper has released it", [] { return !is_held(); });
    CHECK(log_text() == "by keeper after lost, lock held 1, taken\n");
    CHECK_FALSE(fs::exists(engine_file("x.unclean")));
    wait_until("nobody is left", [] { return leftovers().empty(); }); // the keeper shares the local lock until it ends
    CHECK(on_a({"-n", "-l", "local", "--", "true"}).run().status == 0);
}

TEST_CASE("a recovery takes the lock at the engine before its first cleanup and gives it back clean") {
    auto process = on_a({"-l", "file:x", "-c", witness_of_lock, "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    kill_all(process);
    auto holder = on_b({"-l", "file:x", "--", "helper", "pause"}).start();
    holder.wait_for_line("READY");
    CHECK(on_a({"--recover", "--no-wait"}).run().status == 75);
    CHECK_FALSE(fs::exists(work("log")));
    holder.signal(SIGTERM);
    holder.finish();
    CHECK(on_a({"--recover"}).run().status == 0);
    CHECK(log_text() == "by recovery after lost, lock held 3, taken\n");
    CHECK_FALSE(is_held());
    CHECK_FALSE(fs::exists(engine_file("x.unclean")));
}

TEST_CASE("the next holder on the same machine finishes a run that nobody else could with the lock held") {
    auto process = on_a({"-l", "file:x", "-c", witness_of_lock, "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    kill_all(process);
    CHECK(on_a({"-l", "file:x", "--", "true"}).run().status == 0);
    CHECK(log_text() == "by next-holder after lost, lock held 2, taken\n");
    CHECK_FALSE(fs::exists(engine_file("x.unclean")));
}

TEST_CASE("a next holder anywhere is told of a run that has not cleaned up") {
    CHECK(on_a({"-l", "file:x", "-c", "exit 1", "--", "true"}).run().status == 0);
    CHECK(fs::exists(engine_file("x.unclean")));
    const auto outcome = on_b({"-l", "file:x", "-c", "true", "--", "true"}).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err.starts_with("finally-run: lock: file:x: its last holder has not cleaned up: host "));
    CHECK_FALSE(fs::exists(engine_file("x.unclean")));
    CHECK(on_b({"-l", "file:x", "--", "true"}).run().err == "");
}

TEST_CASE("what a run has left unclean stays so after a later run on the same machine that cannot clean it up either") {
    CHECK(on_a({"-l", "file:x", "-c", "test -e mended", "--", "true"}).run().status == 0);
    CHECK(on_a({"-l", "file:x", "-c", "true", "--", "true"}).run().status == 0);
    CHECK(fs::exists(engine_file("x.unclean")));
    write_file(work("mended"), "");
    CHECK(on_a({"-l", "file:x", "-c", "true", "--", "true"}).run().status == 0);
    CHECK_FALSE(fs::exists(engine_file("x.unclean")));
}

TEST_CASE("a next holder anywhere cleans up first with its own words for the last one and then begins") {
    CHECK(on_a({"-l", "file:x", "-c", "exit 1", "--", "true"}).run().status == 0);
    const std::string anywhere = "echo $FINALLY_RUN_BY $FINALLY_RUN_RESULT $FINALLY_RUN_LOCK >>log";
    const auto outcome = on_b({"-l", "file:x", "-s", "echo setup >>log", "-c", "echo plain >>log", "--cleanup-anywhere",
                               "echo one >>log; " + anywhere, "--cleanup-anywhere", "echo two >>log", "--", "sh", "-c",
                               "echo command ${FINALLY_RUN_BY-} >>log"})
                             .run();
    CHECK(outcome.status == 0);
    CHECK(log_text() == "two\none\nnext-holder lost held\nsetup\ncommand\ntwo\none\nsupervisor success held\nplain\n");
    CHECK_FALSE(fs::exists(engine_file("x.unclean")));
    fs::remove(work("log"));
    CHECK(on_b({"-l", "file:x", "--cleanup-anywhere", anywhere, "--", "true"}).run().status == 0);
    CHECK(log_text() == "supervisor success held\n");
}

constexpr const char* dead_holder = "host x, run y, pid 3: dead\n";

// The one run on the other machine, as its --status tells it.
nlohmann::json failed_there() {
    const auto runs = status_of("there").at("runs");
    REQUIRE(runs.size() == 1);
    CHECK(runs.at(0).at("state") == "failed");
    return runs.at(0);
}

TEST_CASE("with --strict a run that cannot clean up for the last holder does not begin and is kept for a recovery") {
    const auto strict = on_b({"--strict", "-l", "file:x", "--cleanup-anywhere",
                              "echo $FINALLY_RUN_BY $FINALLY_RUN_RESULT >>log; test -e mended", "-c",
                              "echo plain >>log", "--", "touch", "ran"});
    write_file(engine_file("x.unclean"), dead_holder);
    const auto outcome = strict.run();
    CHECK(outcome.status == 120);
    CHECK_FALSE(fs::exists(work("ran")));
    CHECK(read_file(engine_file("x.unclean")) == dead_holder);
    const auto left = failed_there();
    const std::string id = left.at("id");
    CHECK(left.at("failed").size() == 1);
    CHECK(left.at("failed").at(0).at("by") == "next-holder");
    CHECK(outcome.err.find("--recover " + id + " tries again") != std::string::npos);
    CHECK(on_b({"--recover", id}).run().status == 120);
    CHECK(read_file(engine_file("x.unclean")) == dead_holder);
    write_file(work("mended"), "");
    CHECK(on_b({"--recover", id}).run().status == 0);
    CHECK(log_text() == "next-holder lost\nrecovery lost\nrecovery lost\n");
    CHECK_FALSE(fs::exists(engine_file("x.unclean")));
}

TEST_CASE("a run that is told to stop keeps what has failed for the last holder") {
    make_fifo(work("fifo"));
    const auto run =
        on_b({"-l", "file:x", "--cleanup-anywhere", "echo begun >>log; read x <fifo; false", "--", "touch", "ran"});
    write_file(engine_file("x.unclean"), dead_holder);
    auto process = run.start();
    wait_for_log("begun");
    process.signal(SIGTERM);
    process.wait_for_err("still cleaning up after TERM");
    release(work("fifo"));
    CHECK(process.finish().signal == SIGTERM);
    CHECK_FALSE(fs::exists(work("ran")));
    CHECK(failed_there().at("failed").size() == 1);
    CHECK(read_file(engine_file("x.unclean")) == dead_holder);
}

TEST_CASE("what fails for the last holder and again at the end of the run is kept once and recovered once") {
    const auto run = on_b(
        {"-l", "file:x", "--cleanup-anywhere", "echo $FINALLY_RUN_BY >>log; test -e mended", "--", "touch", "ran"});
    write_file(engine_file("x.unclean"), dead_holder);
    CHECK(run.run().status == 0);
    CHECK(fs::exists(work("ran")));
    CHECK(read_file(engine_file("x.unclean")) != dead_holder); // it has begun
    const auto failed = failed_there().at("failed");
    REQUIRE(failed.size() == 1);
    CHECK(failed.at(0).at("by") == "supervisor");
    write_file(work("mended"), "");
    CHECK(on_b({"--recover"}).run().status == 0);
    CHECK(log_text() == "next-holder\nsupervisor\nrecovery\n");
    CHECK_FALSE(fs::exists(engine_file("x.unclean")));
}

TEST_CASE("what fails for the last holder stays failed when the same succeeds after the command of the run") {
    const auto run = on_b({"-l", "file:x", "--cleanup-anywhere", "test $FINALLY_RUN_RESULT = success", "--", "true"});
    write_file(engine_file("x.unclean"), dead_holder);
    CHECK(run.run().status == 0);
    CHECK(failed_there().at("failed").at(0).at("by") == "next-holder");
    CHECK(fs::exists(engine_file("x.unclean")));
}

TEST_CASE("stop ends the cleanup for the last holder that hangs and the next one begins and no step does") {
    const auto run = on_b({"-k", ".1", "--cleanup-retries", "9", "-l", "file:x", "--cleanup-anywhere",
                           "echo other >>log", "--cleanup-anywhere",
                           "trap '' TERM; echo begun >>log; while :; do sleep 1000; done", "--", "touch", "ran"});
    write_file(engine_file("x.unclean"), dead_holder);
    auto next = run.start();
    wait_for_log("begun");
    const std::string id = status_of("there").at("runs").at(0).at("id");
    CHECK(on_b({"--stop", id}).run().status == 0);
    const auto outcome = next.finish();
    CHECK(outcome.signal == SIGTERM);
    CHECK(outcome.err.find(": ended by --stop") != std::string::npos);
    CHECK(log_text() == "begun\nother\n");
    CHECK_FALSE(fs::exists(work("ran")));
    CHECK(failed_there().at("failed").at(0).at("error") == "ended by --stop");
    CHECK(read_file(engine_file("x.unclean")) == dead_holder);
}

TEST_CASE("the local file of a lock at an engine stays in the state directory whatever its name") {
    CHECK(on_a({"-l", "file:x", "-l", "odd:../y", "--", "true"}).run().status == 125); // no such engine
    const auto outcome = with_helper("echo \"held $1\"; cat >/dev/null; echo done",
                                     {"-l", "odd:../y", "--", "sh", "-c", "echo $FINALLY_RUN_LOCK_TOKEN"})
                             .run();
    CHECK(outcome.out == "../y\n");
    CHECK(fs::exists(case_dir() / "here" / "odd:..%2Fy"));
}

TEST_CASE("a helper that does not get the lock ends the run with its last words") {
    for (const auto& [script, status, words] : std::vector<std::tuple<std::string, int, std::string>>{
             {"exit 75", 75, "lock: odd:x: not free"},
             {"echo it is broken >&2; exit 1", 125, "lock: odd:x: its helper has ended with status 1: it is broken"},
             {"printf 'no route\\r\\n' >&2; exit 255", 125, "has ended with status 255: no route\n"},
             {"exit 0", 125, "lock: odd:x: its helper has ended with status 0"},
             {"kill -9 $$", 125, "lock: odd:x: its helper was killed by KILL"},
             {"exec /no/such/program", 125, "lock: odd:x: its helper has ended with status 127"},
             {"exec >&-; exec sleep 60", 125, "lock: odd:x: its helper has closed its stdout"},
             {"echo; sleep 60", 125, "does not keep to the protocol: an empty line"},
             {"printf held", 125, "lock: odd:x: its helper has ended with status 0"},
             {"printf 'held 1\\000\\n'; sleep 60", 125, "does not keep to the protocol: a NUL"},
             {"head -c 1048576 /dev/zero | tr '\\000' x; sleep 60", 125, "a line of more than 4096 bytes"}}) {
        const std::string shown = script; // what is bound cannot be captured by clang 14
        CAPTURE(shown);
        const auto outcome = with_helper(script, {"-l", "odd:x", "-c", "touch ran", "--", "touch", "ran"}).run();
        CHECK(outcome.status == status);
        CHECK(outcome.err.find(words) != std::string::npos);
        CHECK_FALSE(fs::exists(work("ran")));
        wait_until("nobody is left", [] { return leftovers().empty(); });
    }
}

TEST_CASE("a helper that says held twice or closes its stdout has lost the lock") {
    for (const char* const what : {"echo held 1", "exec >&-"}) {
        CAPTURE(what);
        const auto outcome = with_helper("echo held 1; read begin; " + std::string(what) + "; cat >/dev/null",
                                         {"-l", "odd:x", "--", "helper", "pause"})
                                 .run();
        CHECK(outcome.status == 121);
    }
    wait_until("nobody is left", [] { return leftovers().empty(); });
}

// What a helper leaves in its own process group ends with it; what has fled from there is nobody's.
TEST_CASE("a helper whose child keeps its stdout open has ended all the same") {
    for (const auto& [script, status] : std::vector<std::pair<std::string, int>>{
             {"exit 75", 75},
             {"exit 3", 125},
             {"echo held 1; read begin; exit 3", 121},
             {"echo held 1; cat >/dev/null; echo done", 0},
         }) {
        for (const std::string apart : {"", "setsid "}) {
            const std::string shown = apart + script;
            CAPTURE(shown);
            const std::string child =
                apart + "sh -c 'echo $$ >child; exec sleep 60' & until test -s child; do :; done; ";
            fs::remove(work("child"));
            const auto outcome =
                with_helper(child + script, {"-l", "odd:x", "--", "sh", "-c", status == 121 ? "sleep 60" : ":"}).run();
            CHECK(outcome.status == status);
            if (!apart.empty()) {
                ::kill(pid_in("child"), SIGKILL);
            }
            wait_until("nobody is left", [] { return leftovers().empty(); });
        }
    }
}

TEST_CASE("a helper that heeds nothing is ended and one that never answers is not waited for") {
    // All at once: each is given seconds before it is killed.
    const std::string deaf = "trap '' TERM; while :; do sleep 60; done";
    auto holder =
        with_helper("echo held 1; " + deaf, {"-l", "odd:x", "-c", "echo cleaned >>log", "--", "true"}).start();
    wait_for_log("cleaned"); // it has its helper
    std::vector<Process> others;
    std::vector<pid_t> mute;
    const auto begin = std::chrono::steady_clock::now();
    for (const auto& [words, machine] : std::vector<std::pair<std::vector<std::string>, std::string>>{
             {{"-n", "-l", "odd:x", "--", "touch", "ran"}, "there"},
             {{"-w", "3", "-l", "odd:x", "--", "touch", "ran"}, "elsewhere"}}) {
        write_file(case_dir() / "bin" / "finally-run-lock-odd", "#!/bin/sh\necho $$ >mute\n" + deaf + "\n", 0755);
        others.push_back(on(machine, words).start());
        wait_for_file(work("mute"));
        mute.push_back(pid_in("mute"));
        fs::remove(work("mute"));
    }
    const auto waited = others.back().finish();
    const auto refused = others.front().finish();
    CHECK(std::chrono::steady_clock::now() - begin >= engine::answer_patience);
    for (const auto& outcome : {waited, refused}) {
        CHECK(outcome.status == 75);
        CHECK(has_line(outcome.err, "finally-run: lock: odd:x: its engine has not answered in time"));
    }
    ::kill(mute.front(), SIGKILL); // what becomes of it is told by the others
    const auto held = holder.finish();
    CHECK(held.status == 0);
    CHECK(has_line(held.err, "finally-run: lock may still be held: odd:x: its helper did not give it back in time"));
    wait_until("nobody is left", [] { return leftovers().empty(); });
    CHECK_FALSE(fs::exists(work("ran")));
}

TEST_CASE("a helper that says something odd while it gives a lock back is let give it back") {
    const std::string odd = "echo held 1; cat >/dev/null; echo giving it back; touch released; ";
    CHECK(with_helper(odd + "exit 0", {"-l", "odd:x", "--", "true"}).run().err.empty());
    CHECK(fs::exists(work("released")));
    CHECK(has_line(with_helper(odd + "exit 1", {"-l", "odd:x", "--", "true"}).run().err,
                   "finally-run: lock may still be held: odd:x: its helper has ended with status 1"));
}

TEST_CASE("that a keeper is killed while it gives a lock back is said") {
    make_fifo(work("fifo"));
    auto process = with_helper("echo $$ >helper; echo held 1; cat >/dev/null; touch releasing; read x <fifo",
                               {"-l", "odd:x", "--", "true"})
                       .start();
    wait_for_file(work("releasing"));
    const auto helper = test::proc_stat(pid_in("helper"));
    REQUIRE(helper);
    ::kill(helper->parent, SIGKILL);
    const auto outcome = process.finish();
    CHECK(outcome.status == 0);
    CHECK(has_line(outcome.err, "finally-run: lock may still be held: odd:x: its keeper is gone"));
}

TEST_CASE("that a helper fails to give a lock back is said even if little is") {
    const auto outcome =
        with_helper("echo held 1; cat >/dev/null; echo no route >&2; exit 1", {"-q", "-l", "odd:x", "--", "true"})
            .run();
    CHECK(outcome.status == 0);
    CHECK(has_line(outcome.err, "finally-run: lock may still be held: odd:x: its helper has ended with status 1"));
}

TEST_CASE("a wait for a lock at an engine ends at its limit") {
    auto holder = on_b({"-l", "file:x", "--", "helper", "pause"}).start();
    holder.wait_for_line("READY");
    bool soon = false; // a busy machine is late, but not each time
    for (int tries = 0; tries < 10 && !soon; ++tries) {
        const auto begin = std::chrono::steady_clock::now();
        const auto outcome = on_a({"--wait", ".3", "-l", "file:x", "-c", "touch ran", "--", "touch", "ran"}).run();
        const auto took = std::chrono::steady_clock::now() - begin;
        CHECK(outcome.status == 75);
        CHECK(lines(outcome.err).size() == 1);
        CHECK(took >= std::chrono::milliseconds(300));
        CHECK_FALSE(fs::exists(work("ran")));
        soon = took < std::chrono::milliseconds(1300);
    }
    CHECK(soon);
    holder.signal(SIGTERM);
    holder.finish();
}

TEST_CASE("the last words of a helper say why its lock was lost") {
    const auto outcome = with_helper("echo held 1; read begin; echo its key was deleted >&2; exit 1",
                                     {"-l", "odd:x", "--", "helper", "pause"})
                             .run();
    CHECK(outcome.status == 121);
    CHECK(outcome.err.find("finally-run: lock lost: odd:x: its helper has ended with status 1: its key was deleted") !=
          std::string::npos);
    CHECK(count(outcome.err, "its key was deleted") == 1);
}

TEST_CASE("what a helper says on its stderr is passed on under the name of the lock") {
    const auto outcome = with_helper("echo first >&2; echo second >&2; echo held 1; cat >/dev/null; echo last >&2",
                                     {"-l", "odd:x", "--", "true"})
                             .run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err == "finally-run: lock: odd:x: first\nfinally-run: lock: odd:x: second\n"
                         "finally-run: lock: odd:x: last\n");
}

TEST_CASE("a helper is told who we are and how long to wait and hears begin and clean") {
    const auto outcome = with_helper("echo \"$FINALLY_RUN_LOCK_HOLDER|$FINALLY_RUN_LOCK_WAIT|$FINALLY_RUN_LOCK_TTL|"
                                     "$FINALLY_RUN_LOCK_MODE|${FINALLY_RUN_ID-no id}\" >told; echo held; cat >heard",
                                     {"--lock-ttl", "1m", "--lock-shared", "odd:x", "--", "true"})
                             .run();
    CHECK(outcome.status == 0);
    const std::string told = read_file(work("told"));
    CHECK(told.starts_with("host "));
    CHECK(told.find(": true||60|shared|no id\n") != std::string::npos);
    const std::string heard = read_file(work("heard"));
    CHECK(heard.starts_with("begin host "));
    CHECK(heard.ends_with("\nclean\n"));
}

} // namespace
} // namespace finally_run::e2e
