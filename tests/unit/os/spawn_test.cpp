// The cases that Boost.Process gets wrong by itself are here by name, since it may change under us.
#include "os/spawn.hpp"

#include "child.hpp"
#include "support/forked.hpp"
#include "support/temp_dir.hpp"
#include "support/traced.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace finally_run;

TEST_CASE("a descriptor that is not close-on-exec reaches the program under its number") {
    const int fd = ::open("/dev/null", O_RDONLY);
    const int high = ::fcntl(fd, F_DUPFD, 20);
    const std::string look = "test -e /proc/self/fd/" + std::to_string(high);
    CHECK(test::run({"/bin/sh", "-c", look.c_str(), nullptr}).shell_code() == 0);
    ::close(high);
    ::close(fd);
}

TEST_CASE("a descriptor that is close-on-exec does not reach the program") {
    const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int high = ::fcntl(fd, F_DUPFD_CLOEXEC, 20);
    const std::string look = "test ! -e /proc/self/fd/" + std::to_string(high);
    CHECK(test::run({"/bin/sh", "-c", look.c_str(), nullptr}).shell_code() == 0);
    ::close(high);
    ::close(fd);
}

TEST_CASE("a failed exec runs no exit handler, prints no buffer and leaves no zombie") {
    // In a process that takes the handler with it.
    test::Forked child([] {
        static test::Gate gate;
        static const pid_t parent = ::getpid();
        std::atexit([] {
            if (::getpid() != parent)
                gate.open("the exit handler");
        });
        ::dup2(gate.writer(), STDOUT_FILENO);
        std::printf("the buffer");
        const os::SpawnResult result = os::spawn(test::request({"/nonexistent/program", nullptr}));
        test::expect(!result.started(), "no program");
        test::expect(::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD, "no zombie");
        ::close(STDOUT_FILENO);
        test::expect(gate.rest().empty(), "no exit handler, no buffer");
    });
    CHECK(child.succeeded());
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

#if defined(__x86_64__)
TEST_CASE("a failed exec is told where clone becomes a fork, as below an emulator") {
    const test::TempDir dir;
    const std::string plain = dir / "plain";
    test::write_file(plain, "text");
    test::Traced process([&] {
        const os::SpawnResult missing = os::spawn(test::request({"/nonexistent/program", nullptr}));
        test::expect(missing.exec_failed && missing.shell_code() == 127, "a missing program");
        const os::SpawnResult denied = os::spawn(test::request({plain.c_str(), nullptr}));
        test::expect(denied.exec_failed && denied.shell_code() == 126, "a program that cannot be executed");
        test::expect(test::run({"/bin/true", nullptr}).success(), "a program that is there");
    });
    for (int spawned = 0; spawned < 3; ++spawned) {
        REQUIRE(process.fork_instead_of_clone());
    }
    CHECK(process.succeeded());
}
#endif

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

TEST_CASE("a program starts in the directory that was asked for, and we stay where we are") {
    const test::TempDir dir;
    const os::Fd directory(::open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const auto before = std::filesystem::current_path();
    const std::vector<const char*> argv{"/bin/sh", "-c", "echo here >marker", nullptr};
    os::SpawnRequest request = test::request(argv);
    request.directory = directory.get();
    CHECK(test::wait_for(os::spawn(request).pid).success());
    CHECK(test::read_file(dir / "marker") == "here\n");
    CHECK(std::filesystem::current_path() == before);
}

TEST_CASE("a program with a slash in its name is looked for in the directory that it starts in") {
    const test::TempDir dir;
    test::write_file(dir / "tool", "#!/bin/sh\nexit 8\n");
    REQUIRE(::chmod((dir / "tool").c_str(), 0700) == 0);
    const os::Fd directory(::open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const std::vector<const char*> argv{"./tool", nullptr};
    os::SpawnRequest request = test::request(argv);
    request.directory = directory.get();
    const os::SpawnResult result = os::spawn(request);
    REQUIRE(result.started());
    CHECK(test::wait_for(result.pid).shell_code() == 8);
}

TEST_CASE("a directory that cannot be entered is a set-up that failed, and no call is made") {
    const std::vector<const char*> argv{"true", nullptr};
    os::SpawnRequest request = test::request(argv);
    request.directory = 1000000;
    bool called = false;
    request.in_child = [&] {
        called = true;
        return 0;
    };
    const os::SpawnResult result = os::spawn(request);
    CHECK(result.error == EBADF);
    CHECK_FALSE(result.exec_failed);
    CHECK_FALSE(called);
}

TEST_CASE("a program starts with the umask that was asked for, else with ours, which stays") {
    const mode_t before = ::umask(0013);
    const std::vector<const char*> asked{"/bin/sh", "-c", "test $(umask) = 0267", nullptr};
    os::SpawnRequest request = test::request(asked);
    request.mask = 0267;
    CHECK(test::wait_for(os::spawn(request).pid).success());
    CHECK(test::run({"/bin/sh", "-c", "test $(umask) = 0013", nullptr}).success());
    CHECK(::umask(before) == 0013);
}

TEST_CASE("the call is made once, by the process that becomes the program, where and as that starts") {
    const test::TempDir dir;
    const os::Fd directory(::open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const std::vector<const char*> argv{"true", nullptr};
    os::SpawnRequest request = test::request(argv);
    request.directory = directory.get();
    request.mask = 0;
    request.placement = os::Placement::own_session;
    pid_t pid = 0;
    pid_t session = 0;
    int calls = 0;
    request.in_child = [&] {
        ++calls;
        pid = ::getpid();
        session = ::getsid(0);
        ::close(::open("marker", O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
        return 0;
    };
    const os::SpawnResult result = os::spawn(request);
    REQUIRE(result.started());
    CHECK(test::wait_for(result.pid).success());
    CHECK(calls == 1);
    CHECK(pid == result.pid);
    CHECK(session == result.pid);
    CHECK((std::filesystem::status(dir / "marker").permissions() == std::filesystem::perms(0666)));
}

TEST_CASE("the call is made although the program is missing") {
    const std::vector<const char*> argv{"/nonexistent/program", nullptr};
    os::SpawnRequest request = test::request(argv);
    bool called = false;
    request.in_child = [&] {
        called = true;
        return 0;
    };
    CHECK(os::spawn(request).exec_failed);
    CHECK(called);
}

TEST_CASE("a call that fails keeps the program from being started") {
    const test::TempDir dir;
    const std::string marker = dir / "marker";
    const std::vector<const char*> argv{"touch", marker.c_str(), nullptr};
    os::SpawnRequest request = test::request(argv);
    request.in_child = [] { return ENOSPC; };
    const os::SpawnResult result = os::spawn(request);
    CHECK(result.error == ENOSPC);
    CHECK_FALSE(result.exec_failed);
    CHECK_FALSE(std::filesystem::exists(marker));
}

TEST_CASE("a write of the call beyond the limit on files does not end the program") {
    const test::TempDir dir;
    const os::Fd file(::open((dir / "file").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    const std::vector<const char*> argv{"true", nullptr};
    os::SpawnRequest request = test::request(argv);
    int error = 0;
    request.in_child = [&] {
        error = ::write(file.get(), "x", 1) < 0 ? errno : 0;
        return 0;
    };
    rlimit before = {};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    rlimit none = before;
    none.rlim_cur = 0;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &none) == 0);
    const os::SpawnResult result = os::spawn(request);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    REQUIRE(result.started());
    CHECK(test::wait_for(result.pid).success());
    CHECK(error == EFBIG);
}

TEST_CASE("a bare name is looked for in the PATH that the program gets, not in ours") {
    const test::TempDir dir;
    test::write_file(dir / "tool", "#!/bin/sh\nexit 7\n");
    REQUIRE(::chmod((dir / "tool").c_str(), 0700) == 0);
    const std::string path = "PATH=" + dir.path().native();
    const std::vector<const char*> argv{"tool", nullptr};
    const auto status_with = [&](const std::vector<const char*>& env) {
        os::SpawnRequest request = test::request(argv);
        request.env = env.data();
        const os::SpawnResult result = os::spawn(request);
        return result.started() ? test::wait_for(result.pid).shell_code() : result.shell_code();
    };
    CHECK(status_with({"OTHER_PATH=/", "PATHS=/", path.c_str(), "PATH=/nonexistent", nullptr}) == 7);
    ::setenv("PATH", dir.path().c_str(), 1);
    CHECK(status_with({"PATH=/nonexistent", nullptr}) == 127);
    CHECK(status_with({nullptr}) == 127);
}
