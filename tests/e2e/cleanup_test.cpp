// What a cleanup finds around it.
#include "harness.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

namespace finally_run::e2e {
namespace {

constexpr const char* tell =
    "echo $FINALLY_RUN_RESULT ${FINALLY_RUN_EXIT_CODE:-none} ${FINALLY_RUN_SIGNAL:-none} $FINALLY_RUN_BY";

std::string told(const std::vector<std::string>& rest) {
    std::vector<std::string> words{"-c", tell};
    words.insert(words.end(), rest.begin(), rest.end());
    const auto all = lines(Run(words).run().err);
    return all.empty() ? "" : all.back();
}

TEST_CASE("a cleanup can read how the run ended") {
    CHECK(told({"--", "true"}) == "success 0 none supervisor");
    CHECK(told({"--", "helper", "exit", "3"}) == "failure 3 none supervisor");
    CHECK(told({"--", "helper", "exit", "130"}) == "failure 130 none supervisor");
    CHECK(told({"--", "helper", "die-of", "USR1"}) == "signal 138 USR1 supervisor");
    CHECK(told({"--", "helper", "die-of", "KILL"}) == "signal 137 KILL supervisor");
    CHECK(told({"--timeout", ".05", "--", "helper", "pause"}) == "timeout 124 TERM supervisor");
    CHECK(told({"-s", "exit 5", "--", "true"}) == "setup-failed 5 none supervisor");
    CHECK(told({"--", "no-such-program-anywhere"}) == "not-started 127 none supervisor");
}

TEST_CASE("a cleanup can read that the run was stopped, and by which signal") {
    auto process = Run({"-c", tell, "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    process.signal(SIGTERM);
    CHECK(has_line(process.finish().err, "stopped 143 TERM supervisor"));
}

TEST_CASE("the variables of a cleanup are not those of the command") {
    const auto outcome =
        Run({"-c", "true", "--", "sh", "-c", "echo ${FINALLY_RUN_RESULT-unset} ${FINALLY_RUN_BY-unset}"}).run();
    CHECK(outcome.out == "unset unset\n");
}

TEST_CASE("the command and the cleanups know the run by the same id, and two runs have two ids") {
    const auto first = Run({"-c", "echo $FINALLY_RUN_ID", "--", "sh", "-c", "echo $FINALLY_RUN_ID"}).run();
    const auto second = Run({"--", "sh", "-c", "echo $FINALLY_RUN_ID"}).run();
    CHECK(first.out.size() > 2);
    CHECK(first.out == first.err);
    CHECK(first.out != second.out);
}

TEST_CASE("a cleanup reads nothing of finally-run's stdin") {
    const auto outcome = Run({"-c", "cat; readlink /proc/self/fd/0", "--", "true"}).input("for the command\n").run();
    CHECK(outcome.err == "/dev/null\n");
}

TEST_CASE("a setup does not eat the command's stdin") {
    const auto outcome = Run({"-s", "cat", "--", "cat"}).input("for the command\n").run();
    CHECK(outcome.out == "for the command\n");
}

TEST_CASE("a cleanup runs in the directory in which finally-run was started") {
    fs::create_directory(work("elsewhere"));
    const auto outcome = Run({"-c", "pwd", "-s", "cd elsewhere", "--", "sh", "-c", "cd elsewhere"}).run();
    CHECK(outcome.err == work().string() + "\n");
}

TEST_CASE("a cleanup has a process group of its own") {
    auto process = Run({"-c", "helper print-ids", "--", "helper", "print-ids"}).start();
    const pid_t supervisor = process.pid();
    const auto outcome = process.finish();
    const long pid = number_after(outcome.err, "pid ");
    CHECK(number_after(outcome.err, "pgid ") == pid);
    CHECK(number_after(outcome.err, "ppid ") == supervisor);
    CHECK(number_after(outcome.err, "pgid ") != number_after(outcome.out, "pgid "));
}

TEST_CASE("a cleanup has the default dispositions and an empty mask whatever finally-run was given") {
    const auto outcome = Run({"-c", "helper print-signal-state", "--", "true"})
                             .before_exec([] {
                                 for (const int number : {SIGINT, SIGHUP, SIGTERM, SIGPIPE, SIGCHLD})
                                     ::signal(number, SIG_IGN);
                                 sigset_t all;
                                 ::sigfillset(&all);
                                 ::sigprocmask(SIG_SETMASK, &all, nullptr);
                             })
                             .run();
    CHECK(outcome.err == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_CASE("no descriptor of finally-run leaks into setups and cleanups") {
    const auto outcome = Run({"-l", "a", "--temp-dir", "T", "--report", "r", "-s", "helper print-fds", "-c",
                              "helper print-fds", "--", "true"})
                             .run();
    CHECK(outcome.err == "0 1 2\n0 1 2\n");
}

TEST_CASE("a cleanup needs no shell for plain words and has one for everything else") {
    const auto plain = Run({"-c", "helper print-ids", "--", "true"}).run();
    const auto shell = Run({"-c", "x='two words'; for i in 1 2; do echo \"$x $i\"; done | tac", "--", "true"}).run();
    CHECK(count(plain.err, "pid ") == 2);
    CHECK(shell.err == "two words 2\ntwo words 1\n");
}

TEST_CASE("plain words mean what they mean to the shell") {
    for (const char* cmd :
         {"echo  a   b ", "\techo a b", "printf %s\\n a", "echo 'a  b'", "echo a\\ b", "X=1 env", "exit 0", ":", "true",
          "echo ~", "echo *", "echo a=b", "test -d .", "[ -d . ]", "echo a#b", "echo a #b", "-x"}) {
        CAPTURE(std::string(cmd));
        const auto wanted = Run::of({"/bin/sh", "-c", cmd}).run();
        const auto got = Run({"--strict", "-c", cmd, "--", "true"}).run();
        CHECK((got.status == 120) == (wanted.status != 0));
        if (wanted.status == 0 && std::string_view(cmd) != "X=1 env")
            CHECK(got.err == wanted.out);
    }
}

TEST_CASE("without a PATH plain words are searched where the shell searches them") {
    // A program that is in no bin.
    const auto shell = Run::of({"env", "-u", "PATH", "/bin/sh", "-c", "ldconfig -V"}).run();
    const auto outcome =
        Run::of({"env", "-u", "PATH", binary(), "--strict", "-c", "ldconfig -V", "--", "/bin/true"}).run();
    CHECK((outcome.status == 0) == (shell.status == 0));
    if (shell.status == 0)
        CHECK(outcome.err == shell.out);
}

TEST_CASE("cleanups work in a directory that has been deleted") {
    fs::create_directory(work("doomed"));
    const auto later = Run({"-c", "echo cleaned", "--", "rmdir", work("doomed")}).cwd(work("doomed")).run();
    CHECK(later.status == 0);
    CHECK(has_line(later.err, "cleaned"));

    const auto before = Run({"-s", "echo up", "-c", "echo cleaned", "--", "echo", "command"})
                            .before_exec([] {
                                if (::mkdir("gone", 0700) != 0 || ::chdir("gone") != 0 || ::rmdir("../gone") != 0)
                                    ::_exit(97);
                            })
                            .run();
    CHECK(before.status == 0);
    CHECK(before.out == "command\n");
    CHECK(has_line(before.err, "up"));
    CHECK(has_line(before.err, "cleaned"));
}

TEST_CASE("bytes that are not UTF-8 reach the cleanup and its environment unchanged") {
    const auto outcome =
        Run({"-c", "printf '%s|' '\xff\xfe \x01' \"$ODD\"", "--", "true"}).env("ODD", "\x80\n\xc3").run();
    CHECK(outcome.err == "\xff\xfe \x01|\x80\n\xc3|");
}

TEST_CASE("a cleanup of 128 KiB runs") {
    std::string cmd = "echo long; : ";
    cmd.append(131071 - cmd.size(), 'x');
    CHECK(Run({"-c", cmd, "--", "true"}).run().err == "long\n");
}

} // namespace
} // namespace finally_run::e2e
