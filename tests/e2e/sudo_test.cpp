// A command of root's below sudo, which an ordinary user cannot signal.
#include "guard.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

namespace finally_run::e2e {
namespace {

constexpr const char* nobody = "65534";

// sudo's two ways: it stays as the parent, or it becomes the command.
constexpr const char* stays = "";
constexpr const char* becomes = "Defaults !pam_session, !pam_setcred, !use_pty\n";

// As an ordinary user, with rules of our own for sudo.
Run as_user(const std::string& way, std::vector<std::string> args) {
    write_file(work("sudoers"), way + "Defaults !requiretty\nALL ALL=(ALL) NOPASSWD: ALL\n", 0440);
    for (fs::path path = work(); path != "/" && path != "/tmp"; path = path.parent_path())
        fs::permissions(path, fs::perms::others_exec, fs::perm_options::add);
    fs::create_directory(work("of-user"));
    fs::copy_file(binary(), work("of-user/finally-run")); // where the user may go
    REQUIRE(::chown(work("of-user").c_str(), 65534, 65534) == 0);
    std::vector<std::string> argv{"sh",
                                  "-c",
                                  "mount --bind sudoers /etc/sudoers && cd of-user && exec \"$@\"",
                                  "sh",
                                  "setpriv",
                                  "--reuid",
                                  nobody,
                                  "--regid",
                                  nobody,
                                  "--clear-groups",
                                  "env",
                                  "FINALLY_RUN_STATE_DIR=" + work("of-user/state").string(),
                                  "finally-run"};
    argv.insert(argv.end(), args.begin(), args.end());
    return Run::of(unshare({"-m"}, argv));
}

// Something of root's that ignores TERM and ends when it is told by "fifo".
constexpr const char* of_root = "trap '' TERM; echo READY $$; read x <../fifo; echo over >>../log";

pid_t pid_after_ready(Process& process) {
    return static_cast<pid_t>(number_after(process.wait_for_line("READY "), "READY "));
}

TEST_CASE("what sudo runs cannot be stopped: it is named, nothing is said to be sent, and the cleanups wait for it" *
          doctest::skip(::geteuid() != 0)) {
    for (const char* const way : {stays, becomes}) {
        CAPTURE(std::string(way));
        make_fifo(work("fifo"));
        auto process =
            as_user(way, {"-t", ".5", "-k", ".1", "-l", "l", "-c", "cat ../log", "--", "sudo", "sh", "-c", of_root})
                .start();
        const pid_t root = pid_after_ready(process);
        const std::string said = process.wait_for_err("cannot be stopped, its end is waited for");
        CHECK(said.find("pid " + std::to_string(root) + ": Operation not permitted") != std::string::npos);
        CHECK(is_locked(work("of-user/state/l")));
        CHECK(alive(root));
        release(work("fifo"));
        const auto outcome = process.finish();
        CHECK(outcome.status == 124);
        CHECK(has_line(outcome.err, "over"));
        if (way == becomes) {
            CHECK(outcome.err.find("sent TERM") == std::string::npos);
            CHECK(outcome.err.find("sent KILL") == std::string::npos);
            CHECK(outcome.err.find("TERM cannot be sent") != std::string::npos);
        }
        for (const char* name : {"fifo", "log", "sudoers"})
            fs::remove(work(name));
        fs::remove_all(work("of-user"));
    }
}

TEST_CASE("the guardian waits for what sudo runs and says so, before it cleans up and frees the lock" *
          doctest::skip(::geteuid() != 0)) {
    for (const char* const way : {stays, becomes}) {
        CAPTURE(std::string(way));
        make_fifo(work("fifo"));
        auto process =
            as_user(way, {"-k", ".1", "-l", "l", "-c", "cat ../log", "--", "sudo", "sh", "-c", of_root}).start();
        const pid_t root = pid_after_ready(process);
        process.signal(SIGKILL);
        const std::string said = process.wait_for_err("cannot be stopped, its end is waited for");
        CHECK(said.find("pid " + std::to_string(root) + ": Operation not permitted") != std::string::npos);
        CHECK(is_locked(work("of-user/state/l")));
        release(work("fifo"));
        process.wait_for_err("over");
        wait_until("the lock is free", [] { return !is_locked(work("of-user/state/l")); });
        wait_until("nobody is left", [] { return leftovers().empty(); });
        process.finish();
        for (const char* name : {"fifo", "log", "sudoers"})
            fs::remove(work(name));
        fs::remove_all(work("of-user"));
    }
}

} // namespace
} // namespace finally_run::e2e
