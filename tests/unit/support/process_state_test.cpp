#include "support/process_state.hpp"

#include "support/forked.hpp"

#include <csignal>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <string>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace finally_run;

TEST_CASE("what a case has changed of its process is put back") {
    test::Forked child([] {
        ::setenv("KEPT", "before", 1);
        const auto directory = std::filesystem::current_path();
        const test::ProcessState state;
        ::setenv("KEPT", "after", 1);
        ::unsetenv("PATH");
        ::setenv("FRESH", "x", 1);
        std::filesystem::current_path("/proc");
        const mode_t mask = ::umask(0135);
        sigset_t all;
        ::sigfillset(&all);
        ::sigprocmask(SIG_BLOCK, &all, nullptr);
        ::signal(SIGCHLD, SIG_IGN);
        ::raise(SIGTERM);
        ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        ::close(STDERR_FILENO);
        const pid_t left = ::fork();
        if (left == 0) {
            for (;;)
                ::pause();
        }

        state.restore();

        const auto value = [](const char* name) {
            const char* const text = std::getenv(name);
            return std::string(text == nullptr ? "" : text);
        };
        test::expect(value("KEPT") == "before" && !value("PATH").empty() && value("FRESH").empty(), "environment");
        test::expect(std::filesystem::current_path() == directory, "directory");
        test::expect(::umask(0) == mask, "umask");
        test::expect(::fcntl(STDERR_FILENO, F_GETFD) >= 0, "stderr");
        test::expect(::kill(left, 0) < 0, "no child");
        test::expect(::signal(SIGCHLD, SIG_DFL) == SIG_DFL, "dispositions");
        sigset_t mask_now;
        ::sigprocmask(SIG_SETMASK, nullptr, &mask_now);
        test::expect(::sigismember(&mask_now, SIGTERM) == 0, "mask"); // and TERM has not ended us
        int subreaper = 1;
        ::prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0);
        test::expect(subreaper == 0, "subreaper");
    });
    CHECK(child.succeeded());
}
