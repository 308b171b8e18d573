// Programs that run beside the command: how they are started, awaited, shown and stopped.
#include "engine.hpp"
#include "pty.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

namespace finally_run::e2e {
namespace {

// A service that writes its pid into the file "pid", and the lines of a cleanup or command that tell whether it lives.
constexpr const char* server = "echo up; echo $$ >pid; exec helper pause >pause.out";
constexpr const char* tell_service = "grep -qs '^State:.[^ZX]' /proc/$(cat pid)/status && echo lives || echo gone";

// A port of this machine that somebody listens on, or that was free a moment ago.
class Port {
public:
    Port() : m_socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in place{};
        place.sin_family = AF_INET;
        place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof place;
        REQUIRE(::bind(m_socket, reinterpret_cast<const sockaddr*>(&place), size) == 0);
        REQUIRE(::getsockname(m_socket, reinterpret_cast<sockaddr*>(&place), &size) == 0);
        m_number = ntohs(place.sin_port);
    }
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;
    ~Port() { ::close(m_socket); }

    void listen() const { REQUIRE(::listen(m_socket, 8) == 0); }
    [[nodiscard]] std::string number() const { return std::to_string(m_number); }

private:
    int m_socket;
    unsigned m_number = 0;
};

TEST_CASE("a service runs beside the command and is gone before what stands to its left is cleaned up") {
    const auto outcome =
        Run({"-c", tell_service, "--service", server, "--ready", "test -s pid", "--", "sh", "-c", tell_service}).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.out == "lives\n");
    CHECK(outcome.err == "echo | up\ngone\n");
    CHECK(leftovers().empty());
}

TEST_CASE("a service leads a session of its own and reads nothing of finally-run's stdin") {
    const auto outcome = Run({"--service",
                              "read x; echo got $?; cut -d' ' -f6 /proc/$$/stat >session; echo $$ >pid; "
                              "exec helper pause >pause.out",
                              "--ready", "test -s pid", "--", "cat"})
                             .input("for the command\n")
                             .run();
    CHECK(outcome.out == "for the command\n");
    CHECK(outcome.err == "read | got 1\n");
    CHECK(read_file(work("session")) == read_file(work("pid")));
}

TEST_CASE("what a service leaves in its session is stopped with it and what ignores TERM is killed after the grace") {
    const auto outcome = Run({"--grace", ".1", "-c", tell_service, "--service", "helper grandchild pid TERM", "--ready",
                              "test -s pid", "--", "true"})
                             .run();
    CHECK(outcome.status == 0);
    CHECK(has_line(outcome.err, "gone"));
    CHECK(outcome.err.find("outlived the grace period, sent KILL") != std::string::npos);
    CHECK(leftovers().empty());
}

TEST_CASE("what of a service forks and ends again and again does not get away") {
    for (int i = 0; i < tries(10); ++i) {
        fs::remove(work("ready"));
        const auto outcome =
            Run({"--grace", ".1", "-c", "echo cleaned >log", "--service", "helper relay 15 >ready & exec sleep 1000",
                 "--", "sh", "-c", "until test -s ready; do :; done"})
                .run();
        CHECK(outcome.status == 0);
        CHECK(leftovers().empty());
        CHECK(log_text() == "cleaned\n");
    }
}

TEST_CASE("a service that fails at its stop is no failed cleanup") {
    const auto outcome =
        Run({"--strict", "--service", "trap 'echo bye; exit 7' TERM; echo >up; while :; do sleep .01; done", "--ready",
             "file:up", "--", "true"})
            .run();
    CHECK(outcome.status == 0);
    CHECK(has_line(outcome.err, "trap | bye"));
    CHECK(outcome.err.find("finally-run") == std::string::npos);
}

TEST_CASE("a service waits for whoever does not read stderr and no line of it is lost") {
    // Longer than a message of our own would wait.
    const auto outcome = Run::of({"sh", "-c",
                                  "finally-run --service 'seq 60000; touch done; exec helper pause >pause.out' -- "
                                  "sh -c 'until test -e done; do sleep .01; done' 2>&1 >/dev/null | "
                                  "{ sleep 1.5; test -e done || echo waits; cat >lines; }"})
                             .run();
    CHECK(outcome.out == "waits\n");
    std::string expected;
    for (int i = 1; i <= 60000; ++i)
        expected.append("seq | ").append(std::to_string(i)) += '\n';
    CHECK((read_file(work("lines")) == expected)); // not to be shown
}

TEST_CASE("a service that ends while a check of its own runs is said once to be not ready") {
    const auto outcome = Run({"--service", "until test -e go; do sleep .01; done; exit 7", "--ready",
                              "touch go; exec helper pause", "--", "true"})
                             .run();
    CHECK(outcome.status == 7);
    CHECK(count(outcome.err, "exit status 7") == 1);
    CHECK(outcome.err.find("was sent") == std::string::npos);
}

TEST_CASE("what is told to stop for a service that has ended is called what it is") {
    const std::string server_text = "until test -e go; do sleep .01; done; exit 7";
    CHECK(Run({"--service-exit", "stop", "--service", server_text, "--setup", "touch go; exec helper pause", "--",
               "true"})
              .run()
              .err.find("exit status 7; the setup was sent TERM\n") != std::string::npos);
    fs::remove(work("go"));
    CHECK(Run({"--service-exit", "stop", "--service", server_text, "--service", "exec helper pause", "--ready",
               "touch go; exec helper pause", "--", "true"})
              .run()
              .err.find("exit status 7; the check was sent TERM\n") != std::string::npos);
}

TEST_CASE("a service whose program is missing is a failed setup") {
    const auto outcome = Run({"-c", "echo cleaned", "--service", "no-such-program", "--", "echo", "ran"}).run();
    CHECK(outcome.status == 127);
    CHECK(outcome.out.empty());
    CHECK(outcome.err == "finally-run: service: no-such-program: cannot be started: No such file or directory\n"
                         "cleaned\n");
}

TEST_CASE("a service that ends before it is ready is a failed setup with its status") {
    const auto outcome = Run({"-c", "echo $FINALLY_RUN_RESULT", "--service", "echo oops >&2; exit 3", "--ready",
                              "file:never", "--", "echo", "ran"})
                             .run();
    CHECK(outcome.status == 3);
    CHECK(outcome.out.empty());
    CHECK(outcome.err == "echo | oops\n"
                         "finally-run: service: echo oops >&2; exit 3: ended: exit status 3\n"
                         "setup-failed\n");
}

TEST_CASE("a service that goes to the background is told to stay in the foreground") {
    const auto outcome = Run({"--service", "helper daemon pid", "--ready", "file:never", "--", "echo", "ran"}).run();
    CHECK(outcome.status == 125);
    CHECK(has_line(outcome.err, "finally-run: service: helper daemon pid: ended with exit status 0: a service has to "
                                "stay in the foreground"));
    ::kill(pid_in("pid"), SIGKILL);
}

TEST_CASE("a service that is not ready in time is a failed setup and is stopped") {
    const auto outcome = Run({"--ready-timeout", ".2", "-c", "echo $FINALLY_RUN_RESULT", "--service", server, "--ready",
                              "file:never", "--", "echo", "ran"})
                             .run();
    CHECK(outcome.status == 125);
    CHECK(outcome.out.empty());
    CHECK(has_line(outcome.err, "finally-run: service: " + std::string(server) +
                                    ": not ready in time: file:never: No such file or directory"));
    CHECK(has_line(outcome.err, "setup-failed"));
    CHECK(leftovers().empty());
}

TEST_CASE("a check that is a command is tried until it succeeds and ends with the time to be ready") {
    CHECK(
        Run({"--service", server, "--ready", "echo >>tries; test $(wc -l <tries) -ge 4", "--", "true"}).run().status ==
        0);
    CHECK(lines(read_file(work("tries"))).size() == 4);
    const auto outcome =
        Run({"--ready-timeout", ".2", "--service", server, "--ready", "helper pause", "--", "true"}).run();
    CHECK(outcome.status == 125);
    CHECK(outcome.err.find("not ready in time: helper pause: takes too long") != std::string::npos);
    const auto missing = Run({"--service", server, "--ready", "no-such-program", "--", "true"}).run();
    CHECK(missing.status == 125);
    CHECK(missing.err.find("cannot become ready: no-such-program: cannot be started") != std::string::npos);
    CHECK(leftovers().empty());
}

TEST_CASE("a service is ready when its port or socket accepts connections") {
    const Port port;
    constexpr const char* listen =
        "import socket, sys; s = socket.socket(getattr(socket, sys.argv[1])); "
        "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); "
        "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1) if len(sys.argv) > 3 else 0; "
        "s.bind(('127.0.0.1', int(sys.argv[2])) if len(sys.argv) > 3 else sys.argv[2]); "
        "s.listen(); open('listens', 'w'); s.accept(); s.accept()";
    write_file(work("listen.py"), listen);
    CHECK(Run({"--service", "python3 listen.py AF_UNIX ./socket", "--ready", "unix:./socket", "--", "test", "-e",
               "listens"})
              .run()
              .status == 0);
    fs::remove(work("listens"));
    std::string number;
    {
        const Port free;
        number = free.number();
    }
    CHECK(Run({"--service", "python3 listen.py AF_INET " + number + " tcp", "--ready", "tcp:" + number, "--", "test",
               "-e", "listens"})
              .run()
              .status == 0);
}

TEST_CASE("a port that somebody else has makes nobody ready") {
    const Port port;
    port.listen();
    for (const std::string& place : {"tcp:" + port.number(), "tcp:127.0.0.1:" + port.number()}) {
        const auto outcome =
            Run({"-c", "echo cleaned", "-s", "true", "--service", server, "--ready", place, "--", "echo", "ran"}).run();
        CHECK(outcome.status == 125);
        CHECK(outcome.out.empty());
        CHECK(outcome.err == "finally-run: service: " + std::string(server) + ": " + place +
                                 ": something else answers there already\ncleaned\n");
        CHECK_FALSE(fs::exists(work("pid")));
    }
}

TEST_CASE("a check that holds proves nothing once the service has ended") {
    const auto outcome =
        Run({"--service", "echo $$ >pid; exit 4", "--ready",
             "while grep -qs '^State:.[^ZX]' /proc/$(cat pid)/status; do sleep .01; done; true", "--", "echo", "ran"})
            .run();
    CHECK(outcome.status == 4);
    CHECK(outcome.out.empty());
}

TEST_CASE("a service that dies while the command runs is reported at once and the command goes on") {
    make_fifo(work("fifo"));
    auto process = Run({"--service", "read x <fifo; exit 4", "--", "sh", "-c", "echo READY; read x; echo done"})
                       .open_stdin()
                       .start();
    process.wait_for_line("READY");
    release(work("fifo"));
    CHECK(process.wait_for_err("ended") == "finally-run: service: read x <fifo; exit 4: ended: exit status 4");
    process.write("go\n");
    const auto outcome = process.finish();
    CHECK(outcome.status == 0);
    CHECK(outcome.out == "READY\ndone\n");
}

TEST_CASE("with --service-exit stop the run ends with its service") {
    make_fifo(work("fifo"));
    auto process = Run({"--service-exit", "stop", "-c", "echo $FINALLY_RUN_RESULT $FINALLY_RUN_EXIT_CODE", "--service",
                        "read x <fifo; exit 4", "--", "sh", "-c", "echo READY; exec helper pause"})
                       .start();
    process.wait_for_line("READY");
    release(work("fifo"));
    const auto outcome = process.finish();
    CHECK(outcome.status == 125);
    CHECK(outcome.err == "finally-run: service: read x <fifo; exit 4: ended: exit status 4; the command was sent TERM\n"
                         "service-ended 125\n");
}

TEST_CASE("with --service-exit stop nothing more begins once a service has ended") {
    const auto outcome = Run({"--service-exit", "stop", "-c", "echo $FINALLY_RUN_RESULT", "--service",
                              "echo $$ >pid; exit 0", "-s", "helper pause", "--", "echo", "ran"})
                             .run();
    CHECK(outcome.status == 125);
    CHECK(outcome.out.empty());
    CHECK(has_line(outcome.err, "service-ended"));
}

TEST_CASE("Ctrl+C and a stop end the command and the service in its place") {
    auto process = Run({"-c", tell_service, "--service", server, "-c", tell_service, "--ready-timeout", "30", "--",
                        "sh", "-c", "while ! test -s pid; do sleep .01; done; echo READY; exec helper pause"})
                       .start();
    process.wait_for_line("READY");
    process.signal(SIGTERM);
    const auto outcome = process.finish();
    CHECK(outcome.signal == SIGTERM);
    CHECK(outcome.err == "echo | up\nlives\ngone\n");
}

TEST_CASE("a stop while a service is awaited ends it and the command does not begin") {
    auto process = Run({"-c", tell_service, "--service", server, "--ready", "file:never", "--", "echo", "ran"}).start();
    process.wait_for_err("echo | up");
    process.signal(SIGTERM);
    const auto outcome = process.finish();
    CHECK(outcome.signal == SIGTERM);
    CHECK(outcome.out.empty());
    CHECK(has_line(outcome.err, "gone"));
}

TEST_CASE("the lines of ten services are whole and each bears its mark") {
    std::vector<std::string> words;
    for (int i = 0; i < 10; ++i) {
        const std::string name = "writer" + std::to_string(i);
        write_file(work(name),
                   "#!/bin/sh\ni=0\nwhile [ $i -lt 200 ]; do printf 'a line of '; echo " + name +
                       "; i=$((i+1)); done\necho >done." + name + "\nexec helper pause >/dev/null\n",
                   0755);
        words.insert(words.end(), {"--service", "./" + name});
    }
    words.insert(words.end(),
                 {"--", "sh", "-c", "while [ $(ls done.* 2>/dev/null | wc -l) != 10 ]; do sleep .01; done"});
    const auto outcome = Run(words).run();
    CHECK(outcome.status == 0);
    const auto all = lines(outcome.err);
    CHECK(all.size() == 2000);
    for (int i = 0; i < 10; ++i) {
        const std::string name = "writer" + std::to_string(i);
        CHECK(std::count(all.begin(), all.end(), name + " | a line of " + name) == 200);
    }
}

TEST_CASE("the marks of services have a colour each on a terminal and none with NO_COLOR") {
    Run run({"--service", "echo one; exec helper pause >ready.1", "--service",
             "printf '%s\\n' two; exec helper pause >ready.2", "--", "sh", "-c",
             "until test -s ready.1 && test -s ready.2; do sleep .01; done; rm ready.*"});
    run.env("TERM", "xterm").env("NO_COLOR", "");
    const std::string coloured = Terminal(run).finish().out;
    CHECK(coloured.find("\x1b[36mecho | \x1b[0mone\n") != std::string::npos);
    CHECK(coloured.find("\x1b[33mprintf | \x1b[0mtwo\n") != std::string::npos);
    const std::string plain = Terminal(run.env("NO_COLOR", "1")).finish().out;
    CHECK(plain.find("echo | one\n") != std::string::npos);
    CHECK(plain.find('\x1b') == std::string::npos);
}

TEST_CASE("in a CI log the output of a service is a section of its own at its end") {
    const auto outcome =
        Run({"--ci", "github", "--service", server, "--ready", "test -s pid", "--", "sh", "-c", "echo command >&2"})
            .run();
    const auto all = lines(outcome.err);
    REQUIRE(all.size() == 5);
    CHECK(all[0] == "command");
    CHECK(all[1] == "::group::finally-run: service: " + std::string(server));
    CHECK(all[2] == "echo | up");
    CHECK(all[3].starts_with("finally-run: service: " + std::string(server) + ": done after "));
    CHECK(all[4] == "::endgroup::");
}

TEST_CASE("in a CI log the last lines of a service that is not ready are shown") {
    const auto outcome =
        Run({"--ci", "github", "--service", "seq 20; exit 3", "--ready", "file:never", "--", "true"}).run();
    const auto all = lines(outcome.err);
    REQUIRE(all.size() > 11);
    CHECK(all[0] == "seq | 11");
    CHECK(all[9] == "seq | 20");
    CHECK(all[10].starts_with("::error title=finally-run%3A service::"));
}

TEST_CASE("a killed supervisor's guardian stops the service in its place and goes on showing what it writes") {
    auto process = Run({"-c", "cat pid >>log; " + std::string(tell_service) + " >>log", "--service",
                        "trap 'echo bye; exit' TERM; echo $$ >pid; echo up; while :; do sleep .01; done", "--ready",
                        "test -s pid", "--", "sh", "-c", "echo READY; exec helper pause"})
                       .start();
    process.wait_for_line("READY");
    const auto outcome = kill_supervisor(process);
    CHECK(log_text() == read_file(work("pid")) + "gone\n");
    CHECK(has_line(outcome.err, "trap | bye"));
    CHECK(leftovers().empty());
}

TEST_CASE("a killed guardian is replaced by one that stops the service too") {
    auto process = Run({"-c", std::string(tell_service) + " >>log", "--service", server, "--ready", "test -s pid", "--",
                        "sh", "-c", "echo READY; exec helper pause"})
                       .start();
    process.wait_for_line("READY");
    const pid_t first = guardian_of(process.pid());
    ::kill(first, SIGKILL);
    static_cast<void>(guardian_of(process.pid(), first));
    kill_supervisor(process);
    CHECK(log_text() == "gone\n");
    CHECK(leftovers().empty());
}

TEST_CASE("the keeper of a lock stops the service in its place and frees the lock afterwards") {
    auto process =
        on_a({"-l", "file:x", "-c", std::string(witness_of_lock) + "; " + tell_service + " >>log", "--service", server,
              "--ready", "test -s pid", "--", "sh", "-c", "echo READY; exec helper pause"})
            .start();
    process.wait_for_line("READY");
    kill_both(process);
    wait_until("the keeper has released it", [] { return !is_held(); });
    CHECK(log_text() == "by keeper after lost, lock held 1, taken\ngone\n");
    wait_until("nobody is left", [] { return leftovers().empty(); });
}

TEST_CASE("a lock that is lost stops the command while its service still runs") {
    auto process = on_a({"-l", "file:x", "-c", std::string(tell_service) + " >>log", "--service", server, "--ready",
                         "test -s pid", "--", "sh", "-c",
                         "trap '{ " + std::string(tell_service) +
                             "; } >>log; exit' TERM; echo READY; while :; do sleep .01; done"})
                       .start();
    process.wait_for_line("READY");
    ::kill(helper_pid(), SIGKILL);
    CHECK(process.finish().status == 121);
    CHECK(log_text() == "lives\ngone\n");
    wait_until("nobody is left", [] { return leftovers().empty(); });
}

TEST_CASE("recovery stops the service of a run whose supervisor and guardian were killed before its directory goes") {
    const auto left = leave_alive(
        Run({"--temp-dir", "D", "-c", "test -d $D && echo there >>log; " + std::string(tell_service) + " >>log",
             "--service", "cd $D && echo $$ >\"$OLDPWD/pid\" && exec helper pause", "--ready", "test -s pid", "--",
             "sh", "-c", "echo $D >dir; echo READY; exec helper pause"}));
    const pid_t service = pid_in("pid");
    CHECK(alive(service));
    const auto refused = Run({"--forget", left.id}).run();
    CHECK(refused.status == 125);
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "there\ngone\n");
    CHECK_FALSE(alive(service));
    CHECK_FALSE(fs::exists(lines(read_file(work("dir"))).at(0)));
    CHECK(leftovers().empty());
}

TEST_CASE("of a service that is killed the run knows what it has left in its session") {
    constexpr const char* parent = "helper outlive USR1 100 & echo $! >pid; echo $$ >parent; wait";
    auto process = Run({"--grace", "30", "-c", std::string(tell_service) + " >>log", "--service", parent, "--ready",
                        "test -s parent", "--", "sh", "-c", "echo READY; read x"})
                       .open_stdin()
                       .start();
    process.wait_for_line("READY");
    ::kill(pid_in("parent"), SIGKILL);
    process.wait_for_err("killed by KILL");
    process.write("go\n");
    CHECK(process.finish().status == 0);
    CHECK(log_text() == "gone\n");
}

TEST_CASE("a service that is a run itself has cleaned up before what stands to its left does and if it is killed too") {
    for (const char* grace : {"30", ".1"}) {
        auto process = Run({"--grace", grace, "-c", "echo outer >>log", "--service",
                            "finally-run -c 'echo begun >>log; until test -e go; do sleep .01; done; echo inner >>log' "
                            "-- helper pause",
                            "--", "sh", "-c", "echo READY; read x"})
                           .open_stdin()
                           .start();
        process.wait_for_err("READY");
        process.write("go\n");
        wait_for_log("begun");
        if (*grace == '.') {
            process.wait_for_err("sent KILL: finally-run");
        }
        write_file(work("go"), "");
        CHECK(process.finish().status == 0);
        const auto all = lines(log_text());
        REQUIRE(all.size() >= 3);
        CHECK(all.back() == "outer");
        CHECK(all[all.size() - 2] == "inner");
        CHECK(leftovers().empty());
        fs::remove(work("log"));
        fs::remove(work("go"));
    }
}

TEST_CASE("the report says how a service was started and how it ended by itself") {
    Run({"--report", "r.json", "--service-exit", "stop", "--service", server, "--ready", "test -s pid", "--service",
         "exit 3", "--", "helper", "pause"})
        .run();
    const std::string report = read_file(work("r.json"));
    CHECK(report.find("\"kind\": \"service\"") != std::string::npos);
    CHECK(report.find("\"error\": \"ended: exit status 3\"") != std::string::npos);
    CHECK(report.find("\"result\": \"service-ended\"") != std::string::npos);
}

TEST_CASE("the status shows the service that is awaited") {
    auto process = Run({"--service", server, "--ready", "file:never", "--", "true"}).start();
    process.wait_for_err("echo | up");
    const auto status = Run({"--status", "--json"}).run();
    CHECK(status.out.find("\"state\": \"setup\"") != std::string::npos);
    CHECK(status.out.find("\"kind\": \"service\"") != std::string::npos);
    CHECK(status.out.find("\"step_pid\": " + std::to_string(pid_in("pid"))) != std::string::npos);
    process.signal(SIGTERM);
    process.finish();
}

TEST_CASE("a dry run tells of services and what they wait for") {
    const auto outcome = Run({"--dry-run", "--service", "sleep 1", "--ready", "tcp:7", "--", "true"}).run();
    CHECK(outcome.out == "1. start the service: sleep 1\n"
                         "2. wait until it is ready, for 1m00s at most: tcp:7\n"
                         "3. run the command: true\n"
                         "4. stop the service: sleep 1\n");
}

TEST_CASE("--ready stands behind its service and what it asks for makes sense") {
    const auto wrong = [](std::vector<std::string> words) {
        words.insert(words.end(), {"--", "touch", "ran"});
        const auto outcome = Run(words).run();
        CHECK(outcome.status == 125);
        return outcome.err;
    };
    CHECK(wrong({"--ready", "tcp:1"}).find("right behind the --service") != std::string::npos);
    CHECK(wrong({"--service", "x", "-s", "y", "--ready", "tcp:1"}).find("right behind") != std::string::npos);
    for (const char* check :
         {"tcp:", "tcp:0", "tcp:65536", "tcp:1x", "tcp:example.org:80", "unix:", "file:", "http://x/", "https://x"}) {
        static_cast<void>(wrong({"--service", "x", "--ready", check}));
    }
    CHECK_FALSE(fs::exists(work("ran")));
    CHECK(run_files().empty());
}

} // namespace
} // namespace finally_run::e2e
