#include "os/place.hpp"

#include "support/forked.hpp"
#include "support/hardship.hpp"
#include "support/needs.hpp"
#include "support/temp_dir.hpp"

#include <cerrno>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

using namespace finally_run;

namespace {

// The place of dir/NAME, which is created.
plan::Place place_of(const test::TempDir& dir, const std::string& name) {
    const auto before = std::filesystem::current_path();
    std::filesystem::create_directories(dir / name);
    std::filesystem::current_path(dir / name);
    plan::Place place = os::current_place();
    std::filesystem::current_path(before);
    return place;
}

// 0, or why it cannot be opened.
int error_of_opening(const plan::Place& place, bool same_boot = true) {
    errno = 0;
    const os::Fd fd = os::open_place(place, same_boot);
    return fd ? 0 : errno;
}

} // namespace

TEST_CASE("a directory is found again by its path, and can be entered") {
    const test::TempDir dir;
    const plan::Place place = place_of(dir, "work");
    CHECK(place.path == dir / "work");
    const os::Fd fd = os::open_place(place, true);
    REQUIRE(fd);
    CHECK(fd.get() >= 64);
    CHECK(::fcntl(fd.get(), F_GETFD) == FD_CLOEXEC);
    struct stat opened = {};
    struct stat there = {};
    REQUIRE(::fstat(fd.get(), &opened) == 0);
    REQUIRE(::stat((dir / "work").c_str(), &there) == 0);
    CHECK(opened.st_ino == there.st_ino);
    CHECK(place.inode == there.st_ino);
    CHECK(place.device == there.st_dev);
    test::Forked child([&] { test::expect(::fchdir(fd.get()) == 0, "fchdir"); });
    CHECK(child.succeeded());
}

TEST_CASE("a directory that is gone is ENOENT, and one that had no path is too") {
    const test::TempDir dir;
    plan::Place place = place_of(dir, "work");
    std::filesystem::rename(dir / "work", dir / "elsewhere");
    CHECK(error_of_opening(place) == ENOENT);
    place.path.clear();
    CHECK(error_of_opening(place) == ENOENT);
}

TEST_CASE("another directory at its path is not the one that was there") {
    const test::TempDir dir;
    const plan::Place place = place_of(dir, "work");
    std::filesystem::rename(dir / "work", dir / "elsewhere");
    std::filesystem::create_directory(dir / "work");
    CHECK(error_of_opening(place) == ESTALE);
    CHECK(error_of_opening(place, false) == ESTALE);
    std::filesystem::remove(dir / "work");
    test::write_file(dir / "work", "");
    CHECK(error_of_opening(place) == ENOTDIR);
}

TEST_CASE("a link that leads to the same directory leads to it") {
    const test::TempDir dir;
    const plan::Place place = place_of(dir, "work");
    std::filesystem::rename(dir / "work", dir / "elsewhere");
    std::filesystem::create_directory_symlink(dir / "elsewhere", dir / "work");
    CHECK(error_of_opening(place) == 0);
}

TEST_CASE("a directory with the inode of another that was born at another time is not it") {
    const test::TempDir dir;
    plan::Place place = place_of(dir, "work");
    place.born += 1;
    CHECK(error_of_opening(place) == ESTALE);
    CHECK(error_of_opening(place, false) == ESTALE);
}

TEST_CASE(
    "another device number is another directory, unless the machine was booted since and the time of birth fits") {
    const test::TempDir dir;
    plan::Place place = place_of(dir, "work");
    if (!test::needs(place.born != 0, "a file system that knows the time of birth")) {
        return;
    }
    place.device += 1;
    CHECK(error_of_opening(place) == ESTALE);
    CHECK(error_of_opening(place, false) == 0);
    place.inode += 1;
    CHECK(error_of_opening(place, false) == ESTALE);
}

namespace {

// As a file system that knows no time of birth has it.
plan::Place without_birth(plan::Place place, uid_t owner, mode_t mode) {
    place.born = -1 - (static_cast<std::int64_t>(owner) << 12 | static_cast<std::int64_t>(mode));
    return place;
}

} // namespace

TEST_CASE("without a time of birth owner, mode and path have to be the same too") {
    const test::TempDir dir;
    plan::Place place = place_of(dir, "work");
    place.born = 0;
    CHECK(error_of_opening(place) == ESTALE);
    CHECK(error_of_opening(place, false) == ESTALE);
    REQUIRE(::chmod((dir / "work").c_str(), 0755) == 0);
    CHECK(error_of_opening(without_birth(place, ::geteuid(), 0755)) == 0);
    CHECK(error_of_opening(without_birth(place, ::geteuid() + 1, 0755)) == ESTALE);
    CHECK(error_of_opening(without_birth(place, ::geteuid(), 0700)) == ESTALE);
    std::filesystem::rename(dir / "work", dir / "elsewhere");
    std::filesystem::create_directory_symlink(dir / "elsewhere", dir / "work");
    CHECK(error_of_opening(without_birth(place, ::geteuid(), 0755)) == ESTALE);
}

TEST_CASE("a directory that may not be entered is EACCES") {
    const test::TempDir dir;
    const test::Unprivileged user(dir.path());
    const plan::Place place = place_of(dir, "work");
    REQUIRE(::chmod((dir / "work").c_str(), 0600) == 0);
    CHECK(error_of_opening(place) == EACCES);
    REQUIRE(::chmod((dir / "work").c_str(), 0100) == 0);
    CHECK(error_of_opening(place) == 0);
}

TEST_CASE("a directory that has been deleted under us has no path") {
    const test::TempDir dir;
    const auto before = std::filesystem::current_path();
    std::filesystem::create_directory(dir / "deleted");
    std::filesystem::current_path(dir / "deleted");
    std::filesystem::remove(dir / "deleted");
    const plan::Place place = os::current_place();
    std::filesystem::current_path(before);
    CHECK(place.path.empty());
    CHECK(error_of_opening(place) == ENOENT);
}
