#include "os/state_dir.hpp"

#include "support/temp_dir.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

using namespace finally_run;

TEST_CASE("the state directory is the option's, the variable's, XDG's, the home's, or one in /var/tmp") {
    ::setenv("FINALLY_RUN_STATE_DIR", "/v", 1);
    ::setenv("XDG_STATE_HOME", "/x", 1);
    ::setenv("HOME", "/h", 1);
    CHECK(os::state_dir_path("/option/") == "/option");
    CHECK(os::state_dir_path("") == "/v");
    ::setenv("FINALLY_RUN_STATE_DIR", "", 1);
    CHECK(os::state_dir_path("") == "/x/finally-run");
    ::setenv("XDG_STATE_HOME", "relative", 1);
    CHECK(os::state_dir_path("") == "/h/.local/state/finally-run");
    ::unsetenv("HOME");
    CHECK(os::state_dir_path("") == "/var/tmp/finally-run-" + std::to_string(::geteuid()));
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
