// --status: which runs there are, for people and for programs.
#include "guard.hpp"
#include "pty.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <csignal>

namespace finally_run::e2e {
namespace {

std::string status_table() {
    const auto outcome = Run({"--status"}).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err.empty());
    return outcome.out;
}

nlohmann::json listed_runs() {
    const auto outcome = Run({"--status", "--json"}).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err.empty());
    return nlohmann::json::parse(outcome.out).at("runs");
}

constexpr std::string_view no_runs = "\nno runs here; other users, hosts and containers have places of their own\n";

nlohmann::json only_listed_run() {
    const auto found = listed_runs();
    REQUIRE(found.size() == 1);
    return found.at(0);
}

TEST_CASE("where there is no run the status says so, before the first one and after the last") {
    CHECK(status_table().ends_with(no_runs));
    CHECK(listed_runs().empty());
    CHECK_FALSE(fs::exists(state_dir()));
    Run({"-l", "l", "--", "true"}).run();
    CHECK(status_table().ends_with(no_runs));
    CHECK(listed_runs().empty());
}

TEST_CASE("the status shows a run whose command runs, with its locks and its cleanups in the order in which they run") {
    auto process = Run({"-l", "named", "--lock-shared", "./by-path", "-c", "echo last", "--on-failure", "echo first",
                        "--", "helper", "pause", "two words"})
                       .start();
    process.wait_for_line("READY");
    const auto run = only_listed_run();
    CHECK(run.at("id") == only_run_file().stem().string());
    CHECK(run.at("state") == "running");
    CHECK(run.at("pid") == process.pid());
    CHECK(run.at("command") == "helper pause two words");
    CHECK(run.at("directory") == work().string());
    CHECK(run.at("current").is_null());
    CHECK(run.at("cleanups") == nlohmann::json::parse(R"([{"kind": "on-failure", "text": "echo first"},
                                                          {"kind": "cleanup", "text": "echo last"}])"));
    REQUIRE(run.at("locks").size() == 2);
    for (const auto& lock : run.at("locks")) {
        const bool by_path = lock.at("name") == work("by-path").string();
        CHECK((by_path || lock.at("name") == "named"));
        CHECK(lock.at("shared") == by_path);
    }
    const std::string text = status_table();
    for (const std::string& part : {run.at("id").get<std::string>(), std::string("running"),
                                    std::to_string(process.pid()), std::string("helper pause two words"),
                                    std::string("named"), std::string("echo first"), std::string("echo last")}) {
        CHECK_MESSAGE(text.find(part) != std::string::npos, text);
    }
}

TEST_CASE("the status shows a run in its setup and in its cleanups") {
    make_fifo(work("fifo"));
    auto process = Run({"-c", "echo last", "-c", waiting, "-s", waiting, "--", "true"}).start();
    wait_for_log("begun");
    CHECK(only_listed_run().at("state") == "setup");
    CHECK(only_listed_run().at("current").at("kind") == "setup");
    CHECK(status_table().find("setup") != std::string::npos);
    release(work("fifo"));
    wait_for_log("ended\nbegun");
    const auto run = only_listed_run();
    CHECK(run.at("state") == "cleaning-up");
    CHECK(run.at("pid") == process.pid());
    CHECK(run.at("current").at("text") == waiting);
    CHECK(run.at("cleanups").size() == 2);
    CHECK(status_table().find("cleaning up") != std::string::npos);
    release(work("fifo"));
    process.finish();
}

TEST_CASE("the status shows a run that is being finished by its guardian, and by a recovery") {
    make_fifo(work("fifo"));
    auto process = Run({"-l", "l", "-c", waiting, "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    const pid_t guardian = guardian_of(process.pid());
    process.signal(SIGKILL);
    wait_for_log("begun");
    CHECK(only_listed_run().at("state") == "finishing");
    CHECK(only_listed_run().at("pid") == guardian);
    CHECK(only_listed_run().at("current").at("text") == waiting);
    CHECK(status_table().find("finishing") != std::string::npos);
    ::kill(guardian, SIGKILL);
    wait_for_end(guardian);
    release(work("fifo"));
    wait_for_log("ended");
    CHECK(only_listed_run().at("state") == "unfinished");
    auto recovery = Run({"--recover"}).start();
    wait_for_log("ended\nbegun");
    CHECK(only_listed_run().at("state") == "finishing");
    CHECK(only_listed_run().at("pid") == recovery.pid());
    release(work("fifo"));
    recovery.finish();
    CHECK(listed_runs().empty());
}

TEST_CASE("the status shows an unfinished run and what to do about it, and looking changes nothing") {
    const auto left = leave_unfinished(Run({"-l", "l", "-c", "echo cleaned >>log", "--", "helper", "pause"}));
    for (int i = 0; i < 2; ++i) {
        const auto run = only_listed_run();
        CHECK(run.at("id") == left.id);
        CHECK(run.at("state") == "unfinished");
        CHECK(run.at("pid").is_null());
        CHECK(run.at("locks").at(0).at("name") == "l");
        CHECK(run.at("cleanups").at(0).at("text") == "echo cleaned >>log");
        const std::string text = status_table();
        CHECK(text.find("unfinished") != std::string::npos);
        CHECK(text.find("finally-run --recover\n") != std::string::npos);
        CHECK(text.find("finally-run --forget " + left.id + "\n") != std::string::npos);
    }
    CHECK(log_text().empty());
    CHECK(Run({"--", "true"}).run().err.find(left.id) != std::string::npos); // has still to be said
    CHECK(only_listed_run().at("state") == "unfinished");
}

TEST_CASE("the status shows a damaged run and why nobody finishes it") {
    const auto left = leave_unfinished(Run({"-c", "true", "--", "helper", "pause"}));
    std::string text = read_file(left.journal);
    text.at(40) ^= 1;
    write_file(left.journal, text, 0600);
    const auto run = only_listed_run();
    CHECK(run.at("id") == left.id);
    CHECK(run.at("state") == "damaged");
    CHECK(run.at("error").get<std::string>().find("damaged at byte") != std::string::npos);
    CHECK(status_table().find("damaged at byte") != std::string::npos);
    CHECK(status_table().find("finally-run --forget " + left.id + "\n") != std::string::npos);
}

TEST_CASE("the status makes escape sequences visible, and its JSON holds them as they are") {
    auto process = Run({"-c", "echo \x1b[31m\xff", "--", "helper", "pause", "\x1b]0;title\x07"}).start();
    process.wait_for_line("READY");
    CHECK(status_table().find('\x1b') == std::string::npos);
    CHECK(only_listed_run().at("command") == "helper pause \x1b]0;title\x07");
}

TEST_CASE("the status of another state directory is shown when asked for") {
    auto process = Run({"--state-dir", work("state"), "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    CHECK(listed_runs().empty());
    CHECK(Run({"--status", "--state-dir", work("state")}).run().out.find("helper pause") != std::string::npos);
}

TEST_CASE("what the status advises works when it is pasted into sh, whatever the state directory is called") {
    int number = 0;
    for (const std::string& name : {std::string("plain"), std::string("with blanks"), std::string("it's \"$x\""),
                                    std::string("two\nlines"), std::string("ends in \n")}) {
        CAPTURE(name);
        const std::string mark = "cleaned" + std::to_string(number++);
        auto process = Run({"--state-dir", name, "-c", "touch " + mark, "--", "helper", "pause"}).start();
        process.wait_for_line("READY");
        kill_both(process);
        const auto status = Run({"--status", "--state-dir", name}).run().out;
        const auto at = status.find("To run what is left:");
        REQUIRE_MESSAGE(at != std::string::npos, status);
        const auto start = status.find("finally-run", at);
        const auto command = status.substr(start, status.find('\n', start) - start);
        // And what the next start says of it leads to the same.
        const auto told = Run({"--state-dir", name, "--", "true"}).run().err;
        CHECK_MESSAGE(told.find(": " + command + " finishes it\n") != std::string::npos, told);
        const auto outcome = Run::of({"sh", "-c", command}).cwd("/").run();
        CHECK_MESSAGE(outcome.status == 0, outcome.err);
        CHECK(fs::exists(work(mark)));
        CHECK(Run({"--status", "--state-dir", name}).run().out.find(no_runs) != std::string::npos);
    }
}

TEST_CASE("a run's id may be shortened where a run is asked for, as long as it is the only one that begins so") {
    const auto first = leave_unfinished(Run({"-c", "echo first >>log", "--", "helper", "pause"}));
    const auto second = leave_unfinished(Run({"-c", "echo second >>log", "--", "helper", "pause"}));
    const auto common = static_cast<std::size_t>(
        std::mismatch(first.id.begin(), first.id.end(), second.id.begin()).first - first.id.begin());
    for (const char* action : {"--recover", "--forget"}) {
        const auto refused = Run({action, first.id.substr(0, 2)}).run();
        CHECK(refused.status == 125);
        CHECK(refused.err.rfind("finally-run: ambiguous run: " + first.id.substr(0, 2) + ": ", 0) == 0);
        CHECK(refused.err.find(first.id) != std::string::npos);
        CHECK(refused.err.find(second.id) != std::string::npos);
        CHECK(Run({action, "x"}).run().err ==
              "finally-run: no such run: x: it has ended well, or is in another state directory\n");
    }
    CHECK(Run({"--recover", first.id.substr(0, common + 1)}).run().status == 0);
    CHECK(log_text() == "first\n");
    CHECK(Run({"--forget", second.id.substr(0, common)}).run().status == 0);
    CHECK(log_text() == "first\n");
    CHECK(status_table().find(no_runs) != std::string::npos);
}

TEST_CASE("the status of many runs that start and end meanwhile is never an error") {
    auto process = Run::script("for i in $(seq " + std::to_string(tries(40)) +
                               "); do finally-run -q -l l$((i % 3)) -c true -- true & done; wait; touch over")
                       .start();
    while (!fs::exists(work("over"))) {
        for (const auto& run : listed_runs())
            CHECK_MESSAGE(run.at("state") != "damaged", run.at("error"));
    }
    CHECK(process.finish().err == "");
    CHECK(listed_runs().empty());
}

TEST_CASE("the status says where it has looked, also if nothing is there") {
    const auto outcome = Run({"--status"}).env("FINALLY_RUN_SETUP", "l").run();
    CHECK(outcome.out.starts_with(state_dir().string() + ": runs of "));
    CHECK(has_line(outcome.out, "FINALLY_RUN_SETUP is set, and is no option's variable: it changes nothing"));
    const auto json = nlohmann::json::parse(Run({"--status", "--json"}).run().out);
    CHECK(json.at("state_dir") == state_dir().string());
    CHECK_FALSE(json.at("user").get<std::string>().empty());
    CHECK_FALSE(json.at("host").get<std::string>().empty());
}

TEST_CASE("the status names the step at work by its text, with its pid and how long it has been at it") {
    make_fifo(work("fifo"));
    auto process = Run({"-c", "echo $$ >cleaning; read x <fifo", "-s", "echo $$ >setting-up; read x <fifo; true", "--",
                        "helper", "pause"})
                       .start();
    wait_for_file(work("setting-up"));
    const auto pid = [](const char* file) { return lines(read_file(work(file))).at(0); };
    wait_until("the pid is written", [] { return !read_file(work("setting-up")).empty(); });
    std::string said = status_table();
    CHECK_MESSAGE(said.find("now      setup: echo $$ >setting-up; read x <fifo; true (pid " + pid("setting-up") +
                            ", ") != std::string::npos,
                  said);
    release(work("fifo"));
    const auto command = std::to_string(number_after(process.wait_for_line("READY"), "READY "));
    said = status_table();
    CHECK_MESSAGE(said.find("now      command (pid " + command + ", ") != std::string::npos, said);
    CHECK(only_listed_run().at("step_pid") == std::stol(command));
    process.signal(SIGTERM);
    wait_for_file(work("cleaning"));
    wait_until("the pid is written", [] { return !read_file(work("cleaning")).empty(); });
    said = status_table();
    CHECK_MESSAGE(said.find("now      cleanup: echo $$ >cleaning; read x <fifo (pid " + pid("cleaning") + ", ") !=
                      std::string::npos,
                  said);
    release(work("fifo"));
    process.finish();
}

TEST_CASE("the status calls a run whose command is suspended that") {
    auto process = Run({"-c", "true", "--", "helper", "pause"}).start();
    const auto command = static_cast<pid_t>(number_after(process.wait_for_line("READY"), "READY "));
    ::kill(command, SIGSTOP);
    wait_for_state(command, 'T');
    CHECK(only_listed_run().at("state") == "suspended");
    CHECK(status_table().find("suspended") != std::string::npos);
    ::kill(command, SIGCONT);
    wait_until("it runs again", [] { return only_listed_run().at("state") == "running"; });
}

TEST_CASE("in a pipe and with verbose the status cuts nothing, and on a terminal its lines fit") {
    const std::string long_word(150, 'x');
    std::vector<std::string> words;
    for (int i = 0; i < 12; ++i)
        words.insert(words.end(), {"-c", "true " + std::to_string(i) + long_word});
    words.insert(words.end(), {"--", "helper", "pause", long_word});
    auto process = Run(words).start();
    process.wait_for_line("READY");
    const auto whole = [&](const std::string& text) {
        return text.find("helper pause " + long_word) != std::string::npos && count(text, long_word) == 13;
    };
    CHECK(whole(status_table()));
    Terminal verbose{Run({"--status", "-v"})};
    CHECK(whole(verbose.finish().out));
    Terminal terminal{Run({"--status"})};
    const auto rows = lines(terminal.finish().out);
    CHECK(rows.size() > 3);
    for (const auto& row : rows)
        CHECK((row.size() <= 100 || row.find(state_dir().string()) != std::string::npos));
}

} // namespace
} // namespace finally_run::e2e
