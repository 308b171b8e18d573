// A whole run, with each kind of cleanup, while one system call is refused throughout, to finally-run and to all that
// it starts: the same as without, or one line and 125 before anything has begun.
//
// Not in the table: what no program of the system starts without (execve, mmap, brk, exit_group, ...).
#include "guard.hpp"
#include "pty.hpp"

#include "support/hardship.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <functional>

namespace finally_run::e2e {
namespace {

enum class Then { same, refused };

struct Row {
    const char* name;
    long number;
    Then then;
};

// What a run, its guardian and an awaited lock use, as strace(1) shows it, and what they would use elsewhere.
const auto table = std::to_array<Row>({
    // An older call, another way, or nothing that a promise hangs on.
    {"clone3", SYS_clone3, Then::same}, {"close_range", SYS_close_range, Then::same},
        {"eventfd2", SYS_eventfd2, Then::same}, {"faccessat2", SYS_faccessat2, Then::same},
        {"fchmod", SYS_fchmod, Then::same}, {"fdatasync", SYS_fdatasync, Then::same},
        {"ftruncate", SYS_ftruncate, Then::same}, {"getcwd", SYS_getcwd, Then::same},
        {"getrandom", SYS_getrandom, Then::same}, {"ioctl", SYS_ioctl, Then::same}, {"lseek", SYS_lseek, Then::same},
        {"madvise", SYS_madvise, Then::same}, {"openat2", SYS_openat2, Then::same},
        {"pidfd_open", SYS_pidfd_open, Then::same}, {"pidfd_send_signal", SYS_pidfd_send_signal, Then::same},
        {"prlimit64", SYS_prlimit64, Then::same}, {"readlinkat", SYS_readlinkat, Then::same},
        {"rseq", SYS_rseq, Then::same}, {"rt_sigaction", SYS_rt_sigaction, Then::same},
        {"rt_sigpending", SYS_rt_sigpending, Then::same}, {"set_robust_list", SYS_set_robust_list, Then::same},
        {"set_tid_address", SYS_set_tid_address, Then::same}, {"setsid", SYS_setsid, Then::same},
        {"statx", SYS_statx, Then::same}, {"timerfd_create", SYS_timerfd_create, Then::same},
        {"timerfd_settime", SYS_timerfd_settime, Then::same}, {"wait4", SYS_wait4, Then::same},
        // No end without them: refused before the start.
        {"clone", SYS_clone, Then::refused}, {"close", SYS_close, Then::refused}, {"fchdir", SYS_fchdir, Then::refused},
        {"fcntl", SYS_fcntl, Then::refused}, {"flock", SYS_flock, Then::refused},
        {"getdents64", SYS_getdents64, Then::refused}, {"geteuid", SYS_geteuid, Then::refused},
        {"getpid", SYS_getpid, Then::refused}, {"getppid", SYS_getppid, Then::refused},
        {"getsid", SYS_getsid, Then::refused}, {"kill", SYS_kill, Then::refused}, {"linkat", SYS_linkat, Then::refused},
        {"pipe2", SYS_pipe2, Then::refused}, {"pread64", SYS_pread64, Then::refused},
        {"rt_sigprocmask", SYS_rt_sigprocmask, Then::refused}, {"setpgid", SYS_setpgid, Then::refused},
        {"signalfd4", SYS_signalfd4, Then::refused}, {"umask", SYS_umask, Then::refused},
        {"unlinkat", SYS_unlinkat, Then::refused}, {"waitid", SYS_waitid, Then::refused},
        {"futex", SYS_futex, Then::refused}, {"write", SYS_write, Then::refused},
#if defined(SYS_poll) // newer machines have other names for what these do
        {"dup2", SYS_dup2, Then::refused}, {"mkdir", SYS_mkdir, Then::refused},
        {"newfstatat", SYS_newfstatat, Then::refused}, {"poll", SYS_poll, Then::refused},
        {"access", SYS_access, Then::same}, {"readlink", SYS_readlink, Then::same}, {"unlink", SYS_unlink, Then::same},
        {"vfork", SYS_vfork, Then::same},
#endif
});

std::vector<std::string> said_by_us(const std::string& err) {
    std::vector<std::string> ours;
    for (const std::string& line : lines(err)) {
        if (line.starts_with("finally-run: ")) { // a shell has its own to say of getcwd(2)
            ours.push_back(line);
        }
    }
    return ours;
}

bool temp_dirs_left() {
    for (const auto& entry : fs::directory_iterator(case_dir() / "tmp")) {
        if (entry.path().filename().native().starts_with("finally-run.")) {
            return true;
        }
    }
    return false;
}

// Nothing in it has to fork in a shell.
Run whole_run(std::vector<std::string> options = {}) {
    fs::create_directory(work("tree"));
    write_file(work("tree") / "file", "");
    const std::vector<std::string> usual{"-l",           "l",
                                         "-c",           "echo cleaned >>log",
                                         "--on-success", "echo success >>log",
                                         "--on-failure", "echo failure >>log",
                                         "-r",           "tree",
                                         "--temp-dir",   "T",
                                         "-s",           "echo setup >>log; : >\"$T/file\"",
                                         "--",           "finally-run",
                                         "--defer",      "echo deferred >>log"};
    options.insert(options.end(), usual.begin(), usual.end());
    return Run(std::move(options));
}

void check_same(const Outcome& outcome) {
    CHECK(outcome.status == 0);
    CHECK_MESSAGE(said_by_us(outcome.err).empty(), outcome.err);
    CHECK(log_text() == "setup\ndeferred\nsuccess\ncleaned\n");
    CHECK_FALSE(fs::exists(work("tree")));
}

void check_call_refused(const Outcome& outcome) {
    CHECK(outcome.status == 125);
    CHECK_MESSAGE(said_by_us(outcome.err).size() == 1, outcome.err);
    CHECK(log_text().empty());
    CHECK(fs::exists(work("tree") / "file"));
}

void check_all_gone() {
    CHECK_FALSE(temp_dirs_left());
    CHECK((!fs::exists(runs_dir()) || run_files().empty()));
    CHECK(leftovers().empty());
    fs::remove_all(work("tree"));
    fs::remove(work("log"));
}

TEST_CASE("a system call that is refused for a whole run changes nothing, or the run does not begin" *
          doctest::skip(sanitized)) {
    for (const Row& row : table) {
        for (const int error : {ENOSYS, EPERM}) {
            CAPTURE(std::string(row.name));
            CAPTURE(error);
            const auto outcome = whole_run().before_exec([&] { test::refuse_system_call(row.number, error); }).run();
            row.then == Then::same ? check_same(outcome) : check_call_refused(outcome);
            check_all_gone();
        }
    }
}

// Says who runs it, and whether the command still lives, with nothing that a shell would fork for.
constexpr const char* cleaned =
    "read pid <pid; state=; read id name state rest 2>/dev/null </proc/$pid/stat; case $state in Z|X|'') ;; *) "
    "echo alive >>log;; esac; echo cleaned by $FINALLY_RUN_BY >>log";

// Until somebody ends it; with nothing that a shell would fork for.
constexpr const char* patient = "echo $$ >pid; echo READY $$; while read line; do :; done";

// Each of the calls that a run can do without, by itself.
void for_each_other_call(const std::function<void(const std::function<void()>& refuse)>& check) {
    for (const Row& row : table) {
        for (const int error : {ENOSYS, EPERM}) {
            if (row.then == Then::same) {
                CAPTURE(std::string(row.name));
                CAPTURE(error);
                check([&] { test::refuse_system_call(row.number, error); });
                check_all_gone();
            }
        }
    }
}

TEST_CASE("a guardian cleans up whatever else is refused to it" * doctest::skip(sanitized)) {
    for_each_other_call([](const auto& refuse) {
        auto process = Run({"-l", "l", "-c", cleaned, "--temp-dir", "T", "--", "sh", "-c", patient})
                           .open_stdin()
                           .before_exec(refuse)
                           .start();
        process.wait_for_line("READY");
        const pid_t command = pid_in("pid");
        const auto outcome = kill_supervisor(process);
        CHECK_FALSE(alive(command));
        CHECK(log_text() == "cleaned by guardian\n");
        CHECK_MESSAGE(said_by_us(outcome.err).size() == 1, outcome.err); // that it was killed
    });
}

// A sentinel stands beside the command then.
TEST_CASE("on a terminal a run ends as ever whatever else is refused to it" * doctest::skip(sanitized)) {
    for_each_other_call([](const auto& refuse) {
        Terminal terminal(Run({"-l", "l", "-c", cleaned, "--temp-dir", "T", "--", "sh", "-c",
                               "echo $$ >pid; exec helper exit-on TERM 3"})
                              .before_exec(refuse));
        terminal.wait_for("READY");
        ::kill(-terminal.pid(), SIGTERM); // the group
        CHECK(terminal.finish().status == 3);
        CHECK(log_text() == "cleaned by supervisor\n");
    });
}

TEST_CASE("a recovery cleans up whatever else is refused to it" * doctest::skip(sanitized)) {
    for_each_other_call([](const auto& refuse) {
        static_cast<void>(leave_unfinished(Run({"-l", "l", "-c", cleaned, "--temp-dir", "T", "--", "sh", "-c", patient})
                                               .open_stdin()
                                               .before_exec(refuse)));
        const auto outcome = Run({"--recover"}).before_exec(refuse).run();
        CHECK_MESSAGE(outcome.status == 0, outcome.err);
        CHECK(log_text() == "cleaned by recovery\n");
    });
}

// Of descriptors those of 64 and above: they are our own, and no program has to be loaded through them.
TEST_CASE("a disk that fails before a run has begun changes nothing, or the run does not begin" *
          doctest::skip(sanitized)) {
    struct Failing {
        const char* name;
        long number;
        std::size_t argument;
        std::uint32_t bits;
        Then then;
    };
    constexpr std::uint32_t ours = 64;
    constexpr auto rows = std::to_array<Failing>({
        {"write", SYS_write, 0, ours, Then::refused},
        {"fdatasync", SYS_fdatasync, 0, ours, Then::refused}, // --durable
        {"openat of the state directory", SYS_openat, 2, O_DIRECTORY & ~O_TMPFILE, Then::refused},
        {"flock", SYS_flock, 0, ours, Then::refused},
        {"linkat", SYS_linkat, 0, 0, Then::refused},
        {"getdents64", SYS_getdents64, 0, 0, Then::refused},
        {"openat without a name", SYS_openat, 2, O_TMPFILE & ~O_DIRECTORY, Then::same},
        {"fchmod", SYS_fchmod, 0, ours, Then::same},
        {"ftruncate", SYS_ftruncate, 0, ours, Then::same},
        {"lseek", SYS_lseek, 0, ours, Then::same},
        {"readlinkat", SYS_readlinkat, 0, 0, Then::same},
    });
    for (const Failing& row : rows) {
        CAPTURE(std::string(row.name));
        const auto outcome =
            whole_run({"--durable"})
                .before_exec([&] { test::refuse_system_call(row.number, EIO, row.argument, row.bits); })
                .run();
        row.then == Then::same ? check_same(outcome) : check_call_refused(outcome);
        check_all_gone();
    }
}

#if defined(SYS_mkdir)
TEST_CASE("a disk on which no directory can be made keeps a run from beginning, or from going on to what needs one" *
          doctest::skip(sanitized)) {
    const auto run = [] { return whole_run().before_exec([] { test::refuse_system_call(SYS_mkdir, EIO); }).run(); };
    check_call_refused(run()); // its state directory
    check_all_gone();

    CHECK(Run({"--", "true"}).run().status == 0);
    const auto outcome = run(); // that is there now, and the temporary directory is not to be had
    CHECK(outcome.status == 125);
    CHECK_MESSAGE(said_by_us(outcome.err).size() == 1, outcome.err);
    CHECK(log_text() == "failure\ncleaned\n");
    CHECK_FALSE(fs::exists(work("tree")));
    check_all_gone();
}
#endif

TEST_CASE(
    "a disk on which nothing can be removed keeps no cleanup from running, and its removals are left to recovery" *
    doctest::skip(sanitized)) {
    const auto outcome = whole_run().before_exec([] { test::refuse_system_call(SYS_unlinkat, EIO); }).run();
    CHECK(outcome.status == 0);
    CHECK(log_text() == "setup\ndeferred\nsuccess\ncleaned\n");
    CHECK(fs::exists(work("tree")));
    CHECK(temp_dirs_left());
    CHECK_MESSAGE(said_by_us(outcome.err).size() == 2, outcome.err);
    CHECK(run_files().size() == 1);
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "setup\ndeferred\nsuccess\ncleaned\n");
    CHECK_FALSE(fs::exists(work("tree")));
    check_all_gone();
}

TEST_CASE("all that an old kernel does not have, refused at once, changes nothing" * doctest::skip(sanitized)) {
    for (const int error : {ENOSYS, EPERM}) {
        CAPTURE(error);
        const auto outcome =
            whole_run()
                .before_exec([error] {
                    for (const long number : {SYS_pidfd_open, SYS_pidfd_send_signal, SYS_clone3, SYS_close_range,
                                              SYS_faccessat2, SYS_openat2, SYS_statx}) {
                        test::refuse_system_call(number, error);
                    }
                    test::refuse_system_call(SYS_openat, error, 2, O_TMPFILE & ~O_DIRECTORY);
                })
                .run();
        check_same(outcome);
        check_all_gone();
    }
}

TEST_CASE("a lock is awaited also where no thread can be made" * doctest::skip(sanitized)) {
    auto holder = Run({"-l", "l", "--", "helper", "pause"}).start();
    holder.wait_for_line("READY");
    auto waiter =
        Run({"-l", "l", "--", "echo", "ran"}).before_exec([] { test::refuse_system_call(SYS_clone3, EPERM); }).start();
    wait_for_lock_waiters(state_dir() / "l", 1);
    holder.signal(SIGTERM);
    holder.finish();
    CHECK(waiter.finish().out == "ran\n");

    auto again = Run({"-l", "l", "--", "helper", "pause"}).start();
    again.wait_for_line("READY");
    CHECK(Run({"-l", "l", "-w", ".1", "--", "echo", "ran"})
              .before_exec([] { test::refuse_system_call(SYS_clone3, EPERM); })
              .run()
              .status == 75);
    again.signal(SIGTERM);
    again.finish();
    CHECK(leftovers().empty());
}

TEST_CASE("too few descriptors for the end of a run are too few to begin it" * doctest::skip(sanitized)) {
    for (rlim_t descriptors = 4; descriptors <= 16; ++descriptors) {
        CAPTURE(descriptors);
        const auto outcome = whole_run()
                                 .before_exec([descriptors] {
                                     const rlimit limit{descriptors, descriptors};
                                     ::setrlimit(RLIMIT_NOFILE, &limit);
                                 })
                                 .run();
        outcome.status == 0 ? check_same(outcome) : check_call_refused(outcome);
        check_all_gone();
    }
}

} // namespace
} // namespace finally_run::e2e
