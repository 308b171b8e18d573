#include "os/state_dir.hpp"

#include "support/hardship.hpp"
#include "support/temp_dir.hpp"
#include "support/traced.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

using namespace finally_run;

TEST_CASE("the state directory is the option's, the variable's, XDG's, the home's, or one in /var/tmp") {
    const test::TempDir dir;
    ::setenv("FINALLY_RUN_STATE_DIR", "/v", 1);
    ::setenv("XDG_STATE_HOME", dir.path().c_str(), 1);
    ::setenv("HOME", dir.path().c_str(), 1);
    CHECK(os::state_dir_path("/option/") == "/option");
    CHECK(os::state_dir_path("") == "/v");
    ::setenv("FINALLY_RUN_STATE_DIR", "", 1);
    CHECK(os::state_dir_path("") == dir / "finally-run");
    ::setenv("XDG_STATE_HOME", "relative", 1);
    CHECK(os::state_dir_path("") == dir / ".local/state/finally-run");
    ::unsetenv("HOME");
    CHECK(os::state_dir_path("") == "/var/tmp/finally-run-" + std::to_string(::geteuid()));
}

TEST_CASE("a home that is not there, another's or closed to us is passed over, and one that is wrong is not") {
    const test::TempDir dir;
    const std::string fallback = "/var/tmp/finally-run-";
    ::setenv("FINALLY_RUN_STATE_DIR", "", 1);
    ::setenv("XDG_STATE_HOME", "", 1);
    ::setenv("HOME", (dir / "none").c_str(), 1);
    CHECK(os::state_dir_path("") == fallback + std::to_string(::geteuid()));
    ::setenv("XDG_STATE_HOME", "/dev/null/x", 1);
    CHECK(os::state_dir_path("") == fallback + std::to_string(::geteuid()));
    for (const char* const of_kernel : {"/proc/x", "/proc", "/sys/x"}) { // where root may write, and make nothing
        CAPTURE(std::string(of_kernel));
        ::setenv("XDG_STATE_HOME", of_kernel, 1);
        CHECK(os::state_dir_path("") == fallback + std::to_string(::geteuid()));
    }
    ::setenv("XDG_STATE_HOME", dir.path().c_str(), 1);
    test::write_file(dir / "finally-run", "");
    CHECK(os::state_dir_path("") == dir / "finally-run");
    ::setenv("XDG_STATE_HOME", "", 1);
    ::setenv("HOME", "/", 1);
    const test::Unprivileged user(dir.path());
    CHECK(os::state_dir_path("") == fallback + std::to_string(::geteuid()));
    ::setenv("HOME", dir.path().c_str(), 1);
    CHECK(os::state_dir_path("") == dir / ".local/state/finally-run");
}

TEST_CASE("a place that cannot be had is an error that names the variable") {
    CHECK_THROWS_WITH_AS(static_cast<void>(os::open_state_dir("/dev/null/x")),
                         doctest::Contains("FINALLY_RUN_STATE_DIR"), std::system_error);
}

TEST_CASE("in a directory with the setgid bit a state directory is as private as elsewhere") {
    const test::TempDir dir;
    REQUIRE(::chmod(dir.path().c_str(), 02770) == 0);
    CHECK(os::open_state_dir(dir / "made"));
    REQUIRE(::mkdir((dir / "found").c_str(), 0700) == 0);
    REQUIRE(::chmod((dir / "found").c_str(), 02700) == 0);
    CHECK(os::open_state_dir(dir / "found"));
    REQUIRE(::chmod((dir / "found").c_str(), 02750) == 0);
    CHECK_THROWS_AS(static_cast<void>(os::open_state_dir(dir / "found")), std::system_error);
}

TEST_CASE("the mode of what is not ours to make is never changed") {
    const test::TempDir dir;
    REQUIRE(::mkdir((dir / "open").c_str(), 0755) == 0);
    REQUIRE(::chmod((dir / "open").c_str(), 0755) == 0);
    REQUIRE(::symlink((dir / "open").c_str(), (dir / "link").c_str()) == 0);
    for (const char* name : {"open", "link"}) {
        CHECK_THROWS_AS(static_cast<void>(os::open_state_dir(dir / name)), std::system_error);
    }
    struct stat info = {};
    REQUIRE(::stat((dir / "open").c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0755);
}

TEST_CASE("a state directory is created with mode 0700, whatever the umask") {
    const test::TempDir dir;
    const mode_t before = ::umask(0277);
    const std::string path = dir / "state";
    const os::Fd fd = os::open_state_dir(path);
    ::umask(before);
    struct stat info = {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0700);
}

TEST_CASE("missing parents of the state directory are created too") {
    const test::TempDir dir;
    const os::Fd fd = os::open_state_dir(dir / "a/b/c");
    CHECK(std::filesystem::is_directory(dir / "a/b/c"));
}

TEST_CASE("a state directory that others could use, a link, or a file is refused") {
    const test::TempDir dir;
    REQUIRE(::mkdir((dir / "open").c_str(), 0755) == 0);
    ::chmod((dir / "open").c_str(), 0755);
    CHECK_THROWS_WITH_AS(static_cast<void>(os::open_state_dir(dir / "open")), doctest::Contains("mode 0700"),
                         std::system_error);
    REQUIRE(::mkdir((dir / "private").c_str(), 0700) == 0);
    REQUIRE(::symlink((dir / "private").c_str(), (dir / "link").c_str()) == 0);
    CHECK_THROWS_AS(static_cast<void>(os::open_state_dir(dir / "link")), std::system_error);
    test::write_file(dir / "file", "");
    CHECK_THROWS_AS(static_cast<void>(os::open_state_dir(dir / "file")), std::system_error);
}

#if defined(SYS_mkdir) // what mkdir(2) is called by
TEST_CASE("a link that takes the place of a state directory just made is not followed and leads to no other mode") {
    const test::TempDir dir;
    const std::filesystem::path state = dir / "state";
    const std::string victim = dir / "victim";
    std::filesystem::create_directory(victim);
    std::filesystem::permissions(victim, std::filesystem::perms(0755));
    test::Traced process([&] {
        bool refused = false;
        try {
            static_cast<void>(os::open_state_dir(state));
        } catch (const std::system_error&) {
            refused = true;
        }
        test::expect(refused, "the link is refused");
    });
    REQUIRE(process.hold_after(SYS_mkdir));
    REQUIRE(std::filesystem::remove(state));
    std::filesystem::create_directory_symlink(victim, state);
    CHECK(process.succeeded());
    CHECK(std::filesystem::status(victim).permissions() == std::filesystem::perms(0755));
}
#endif
