// The command cannot tell that it is wrapped.
#include "harness.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace finally_run::e2e {
namespace {

const std::vector<std::string> everything{"-l",       "a", "-l", "./b",  "--temp-dir", "T",
                                          "--report", "r", "-c", "true", "-s",         "true"};

std::vector<std::string> with_everything(const std::vector<std::string>& command) {
    auto words = everything;
    words.emplace_back("--");
    words.insert(words.end(), command.begin(), command.end());
    return words;
}

TEST_CASE("the words of the command reach it byte for byte") {
    const std::vector<std::string> odd{"",   " ",  "[a-z]", "[a,b]",    "a=b",         "--lock", "x",
                                       "--", "-c", "@file", "\xff\xfe", "line\nbreak", "$HOME",  "*"};
    std::vector<std::string> words{"printf", "%s|"};
    words.insert(words.end(), odd.begin(), odd.end());
    const auto wanted = Run::of(words).run().out;
    CHECK(Run(words).run().out == wanted);
    words.insert(words.begin(), "--");
    CHECK(Run(words).run().out == wanted);
    CHECK(wanted.find("[a,b]|") != std::string::npos);
}

TEST_CASE("options end at the command") {
    CHECK(Run({"echo", "-q", "--lock", "x", "--timeout", "bad"}).run().out == "-q --lock x --timeout bad\n");
}

TEST_CASE("two dashes let a command begin with a dash") {
    fs::create_symlink(FINALLY_RUN_HELPER, case_dir() / "bin/-x");
    CHECK(Run({"--", "-x", "exit", "6"}).run().status == 6);
}

TEST_CASE("an argument of 128 KiB reaches the command") {
    const std::string argument(131071, 'x');
    CHECK(Run({"--", "sh", "-c", "echo ${#1}", "sh", argument}).run().out == "131071\n");
}

TEST_CASE("the environment reaches the command with nothing changed and little added") {
    const auto plain = Run::of({"env", "-0"}).env("ODD", "\x80\n\xff = ").env("EMPTY", "").run().out;
    auto wrapped =
        Run({"-l", "a", "-c", "true", "--", "env", "-0"}).env("ODD", "\x80\n\xff = ").env("EMPTY", "").run().out;
    std::string rest;
    for (std::size_t begin = 0, end = 0; (end = wrapped.find('\0', begin)) != std::string::npos; begin = end + 1) {
        const std::string entry = wrapped.substr(begin, end - begin + 1);
        if (entry.rfind("FINALLY_RUN_", 0) != 0)
            rest += entry;
    }
    CHECK(rest == plain);
    CHECK(count(wrapped, "FINALLY_RUN_ID=") == 1);
}

TEST_CASE("no descriptor of finally-run reaches the command") {
    CHECK(Run(with_everything({"helper", "print-fds"})).run().out == "0 1 2\n");
}

TEST_CASE("inherited descriptors reach the command") {
    const int file = ::memfd_create("inherited", MFD_CLOEXEC);
    REQUIRE(::write(file, "content\n", 8) == 8);
    REQUIRE(::lseek(file, 0, SEEK_SET) == 0);
    CHECK(Run(with_everything({"sh", "-c", "cat <&7"})).fd(7, file).run().out == "content\n");
    auto many = Run(with_everything({"helper", "print-fds"}));
    for (const int number : {3, 4, 7, 64, 65, 66, 70, 100})
        many.fd(number, file);
    CHECK(many.run().out == "0 1 2 3 4 7 64 65 66 70 100\n");
    ::close(file);
}

TEST_CASE("finally-run opens nothing below descriptor 64") {
    auto process = Run(with_everything({"helper", "pause"})).start();
    process.wait_for_line("READY");
    // It may still have what it looked into while it began the command.
    wait_until("nothing is open there", [&] {
        const fs::directory_iterator all("/proc/" + std::to_string(process.pid()) + "/fd");
        return std::ranges::all_of(all, [](const fs::directory_entry& entry) {
            const int number = std::atoi(entry.path().filename().c_str());
            return number < 3 || number >= 64;
        });
    });
}

TEST_CASE("stdin and stdout and stderr may be closed in every combination") {
    for (int closed = 0; closed < 8; ++closed) {
        CAPTURE(closed);
        std::string expected;
        for (int fd = 0; fd < 3; ++fd) {
            if ((closed & (1 << fd)) == 0)
                expected += (expected.empty() ? "" : " ") + std::to_string(fd);
        }
        const auto outcome =
            Run({"-l", "a", "--temp-dir", "T", "-s", "touch up", "-c", "echo noise && helper print-fds cleanup-fds",
                 "--", "helper", "print-fds", "command-fds"})
                .before_exec([closed] {
                    for (int fd = 0; fd < 3; ++fd) {
                        if ((closed & (1 << fd)) != 0)
                            ::close(fd);
                    }
                })
                .run();
        CHECK(outcome.status == 0);
        CHECK(read_file(work("command-fds")) == expected + "\n");
        CHECK(read_file(work("cleanup-fds")) == "0 1 2\n");
        CHECK(fs::exists(work("up")));
        CHECK(fs::is_empty(case_dir() / "tmp"));
        for (const char* name : {"command-fds", "cleanup-fds", "up"})
            fs::remove(work(name));
    }
}

TEST_CASE("the umask reaches the command and the cleanups") {
    const auto outcome = Run({"-l", "a", "--temp-dir", "T", "-c", "sh -c umask", "--", "sh", "-c", "umask"})
                             .before_exec([] { ::umask(027); })
                             .run();
    CHECK(outcome.out == "0027\n");
    CHECK(outcome.err == "0027\n");
}

TEST_CASE("signal dispositions and mask reach the command unchanged") {
    const auto strange = [] {
        sigset_t set;
        ::sigemptyset(&set);
        for (const int number : {SIGTERM, SIGUSR2, SIGRTMIN + 3})
            ::sigaddset(&set, number);
        ::sigprocmask(SIG_SETMASK, &set, nullptr);
        for (const int number : {SIGPIPE, SIGHUP, SIGCHLD, SIGTSTP})
            ::signal(number, SIG_IGN);
    };
    const auto wanted = Run::of({"helper", "print-signal-state"}).before_exec(strange).run().out;
    CHECK(Run(with_everything({"helper", "print-signal-state"})).before_exec(strange).run().out == wanted);
    const auto plain = Run::of({"helper", "print-signal-state"}).run().out;
    CHECK(Run(with_everything({"helper", "print-signal-state"})).run().out == plain);
    CHECK(plain != wanted);
}

TEST_CASE("finally-run works with SIGCHLD ignored") {
    const auto outcome = Run({"-s", "echo up", "-c", "echo down", "--", "helper", "exit", "3"})
                             .before_exec([] { ::signal(SIGCHLD, SIG_IGN); })
                             .run();
    CHECK(outcome.status == 3);
    CHECK(outcome.err == "up\ndown\n");
}

TEST_CASE("finally-run works with every signal blocked, and so is still stopped by one") {
    auto process = Run({"-c", "echo down", "--", "helper", "exit-on", "TERM", "4"})
                       .before_exec([] {
                           sigset_t all;
                           ::sigfillset(&all);
                           ::sigprocmask(SIG_SETMASK, &all, nullptr);
                       })
                       .start();
    process.wait_for_line("READY");
    process.signal(SIGTERM);
    const auto outcome = process.finish();
    CHECK(outcome.status == 4);
    CHECK(has_line(outcome.err, "down"));
}

TEST_CASE("finally-run dies of the command's signal although that one is blocked or ignored") {
    for (const bool blocked : {true, false}) {
        const auto outcome = Run({"-c", "true", "--", "helper", "die-of", "USR1"})
                                 .before_exec([blocked] {
                                     sigset_t set;
                                     ::sigfillset(&set);
                                     if (blocked)
                                         ::sigprocmask(SIG_SETMASK, &set, nullptr);
                                     if (!blocked)
                                         ::signal(SIGUSR1, SIG_IGN);
                                 })
                                 .run();
        CHECK(outcome.signal == SIGUSR1);
    }
}

TEST_CASE("sixteen descriptors are enough, and the limit reaches the command") {
    const auto outcome =
        Run({"-l", "a", "--temp-dir", "T", "-s", "echo up", "-c", "echo down", "--", "sh", "-c", "ulimit -n"})
            .before_exec([] {
                const rlimit limit{16, 16};
                ::setrlimit(RLIMIT_NOFILE, &limit);
            })
            .run();
    CHECK(outcome.status == 0);
    CHECK(outcome.out == "16\n");
    CHECK(outcome.err == "up\ndown\n");
}

TEST_CASE("too few descriptors give 125 and one line and nothing starts" * doctest::skip(sanitized)) {
    const auto outcome = Run({"-l", "a", "-s", "echo up", "-c", "echo down", "--", "echo", "ran"})
                             .before_exec([] {
                                 const rlimit limit{4, 4};
                                 ::setrlimit(RLIMIT_NOFILE, &limit);
                             })
                             .run();
    CHECK(outcome.status == 125);
    CHECK(outcome.out.empty());
    CHECK(lines(outcome.err).size() == 1);
    CHECK(outcome.err.rfind("finally-run: ", 0) == 0);
}

TEST_CASE("no room for another process gives 125 and one line" * doctest::skip(sanitized)) {
    // Root is never limited, and a stranger must be able to reach the binary: otherwise there is nothing to test.
    const auto as_stranger = [](Run run, rlim_t processes) {
        return run
            .before_exec([processes] {
                const rlimit limit{processes, processes};
                if (::geteuid() == 0 && (::setgroups(0, nullptr) != 0 || ::setgid(54322) != 0 || ::setuid(54322) != 0))
                    ::_exit(97);
                ::setrlimit(RLIMIT_NPROC, &limit);
            })
            .run();
    };
    if (::geteuid() != 0 || ::chmod(case_dir().c_str(), 0755) != 0)
        return;
    if (as_stranger(Run({"--", "true"}), 1000).status != 0)
        return;
    const auto outcome = as_stranger(Run({"--", "true"}), 1);
    CHECK(outcome.status == 125);
    CHECK(lines(outcome.err).size() == 1);
}

TEST_CASE("without a terminal the command leads a process group of its own in the same session") {
    auto process = Run({"--", "helper", "print-ids"}).start();
    const pid_t supervisor = process.pid();
    const auto out = process.finish().out;
    CHECK(number_after(out, "pgid ") == number_after(out, "pid "));
    CHECK(number_after(out, "ppid ") == supervisor);
    CHECK(number_after(out, "sid ") == supervisor);
}

} // namespace
} // namespace finally_run::e2e
