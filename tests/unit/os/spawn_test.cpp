// The cases that Boost.Process gets wrong by itself are here by name, since it may change under us.
#include "os/spawn.hpp"

#include "../temp_dir.hpp"
#include "child.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/stat.h>

using namespace finally_run;

TEST_CASE("a descriptor that is not close-on-exec reaches the program under its number") {
    const int fd = ::open("/dev/null", O_RDONLY);
    REQUIRE(::dup2(fd, 7) == 7);
    CHECK(test::run({"/bin/sh", "-c", "test -e /proc/self/fd/7", nullptr}).shell_code() == 0);
    ::close(7);
    ::close(fd);
}

TEST_CASE("a descriptor that is close-on-exec does not reach the program") {
    const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    REQUIRE(::dup3(fd, 7, O_CLOEXEC) == 7);
    CHECK(test::run({"/bin/sh", "-c", "test ! -e /proc/self/fd/7", nullptr}).shell_code() == 0);
    ::close(7);
    ::close(fd);
}

TEST_CASE("a failed exec runs no exit handler, prints no buffer and leaves no zombie") {
    const test::TempDir dir;
    static const char* marker = nullptr;
    const std::string path = dir / "exit-handler-ran-in-child";
    marker = path.c_str();
    static const pid_t parent = ::getpid();
    std::atexit([] {
        if (::getpid() != parent)
            ::close(::creat(marker, 0600));
    });
    const os::SpawnResult result = os::spawn(test::request({"/nonexistent/program", nullptr}));
    CHECK_FALSE(result.started());
    CHECK_FALSE(std::filesystem::exists(path));
    CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
    CHECK(errno == ECHILD);
}

TEST_CASE("a missing program is 127, one that cannot be executed is 126") {
    const test::TempDir dir;
    const std::string plain = dir / "plain";
    test::write_file(plain, "text");
    const os::SpawnResult missing = os::spawn(test::request({"/nonexistent/program", nullptr}));
    CHECK(missing.exec_failed);
    CHECK(missing.shell_code() == 127);
    const os::SpawnResult denied = os::spawn(test::request({plain.c_str(), nullptr}));
    CHECK(denied.exec_failed);
    CHECK(denied.error == EACCES);
    CHECK(denied.shell_code() == 126);
    const os::SpawnResult empty = os::spawn(test::request({"", nullptr}));
    CHECK(empty.shell_code() == 127);
}

TEST_CASE("a set-up that fails is told from a failed exec") {
    const std::vector<const char*> argv{"true", nullptr};
    os::SpawnRequest request = test::request(argv);
    request.stdio = os::Stdio{1000000, 1, 2};
    const os::SpawnResult result = os::spawn(request);
    CHECK_FALSE(result.started());
    CHECK_FALSE(result.exec_failed);
    CHECK(result.error == EBADF);
}

TEST_CASE("death by SIGKILL is told from exit status 9") {
    CHECK(test::run({"/bin/sh", "-c", "kill -KILL $$", nullptr}).signal() == SIGKILL);
    const os::WaitStatus nine = test::run({"/bin/sh", "-c", "exit 9", nullptr});
    CHECK(nine.signal() == 0);
    CHECK(nine.shell_code() == 9);
}

TEST_CASE("the program starts with the mask and dispositions that were asked for, not with ours") {
    // grep(1) itself: dash unblocks all signals when it starts.
    for (const char* const pattern : {"SigBlk:.*0000000000000200", "SigIgn:.*0000000000004000"}) {
        CAPTURE(pattern);
        const std::vector<const char*> argv{"grep", "-qx", pattern, "/proc/self/status", nullptr};
        os::SpawnRequest request = test::request(argv);
        ::sigaddset(&request.signals.mask, SIGUSR1);
        ::sigaddset(&request.signals.ignored, SIGTERM);
        const os::SpawnResult result = os::spawn(request);
        REQUIRE(result.started());
        CHECK(test::wait_for(result.pid).shell_code() == 0);
    }
}

TEST_CASE("a script without an interpreter line is run by the shell, with its arguments") {
    const test::TempDir dir;
    const std::string script = dir / "script";
    test::write_file(script, "test \"$1\" = 'a b' && exit 5\n");
    REQUIRE(::chmod(script.c_str(), 0700) == 0);
    CHECK(test::run({script.c_str(), "a b", nullptr}).shell_code() == 5);
}

TEST_CASE("a bare name is looked for in PATH, and a file that cannot be executed is passed over") {
    const test::TempDir dir;
    std::filesystem::create_directory(dir / "first");
    std::filesystem::create_directory(dir / "second");
    test::write_file(dir / "first/tool", "exit 1\n");
    test::write_file(dir / "second/tool", "#!/bin/sh\nexit 6\n");
    REQUIRE(::chmod((dir / "second/tool").c_str(), 0700) == 0);
    ::setenv("PATH", (dir / "none" + ":" + dir / "first" + ":" + dir / "second").c_str(), 1);
    CHECK(test::run({"tool", nullptr}).shell_code() == 6);
    ::setenv("PATH", (dir / "none" + ":" + dir / "first").c_str(), 1);
    CHECK(os::spawn(test::request({"tool", nullptr})).shell_code() == 126);
    ::setenv("PATH", (dir / "none").c_str(), 1);
    CHECK(os::spawn(test::request({"tool", nullptr})).shell_code() == 127);
}

TEST_CASE("a program placed in its own group or session leads it") {
    const auto placed = [](os::Placement placement, const char* field) {
        const std::string script =
            std::string("read -r stat </proc/$$/stat; rest=${stat##*) }; set -- $rest; test $") + field + " = $$";
        const std::vector<const char*> argv{"/bin/sh", "-c", script.c_str(), nullptr};
        os::SpawnRequest request = test::request(argv);
        request.placement = placement;
        return test::wait_for(os::spawn(request).pid).shell_code();
    };
    CHECK(placed(os::Placement::shared_group, "3") == 1);
    CHECK(placed(os::Placement::own_group, "3") == 0);
    CHECK(placed(os::Placement::own_group, "4") == 1);
    CHECK(placed(os::Placement::own_session, "3") == 0);
    CHECK(placed(os::Placement::own_session, "4") == 0);
}
