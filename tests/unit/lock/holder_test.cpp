#include "lock/holder.hpp"

#include "support/temp_dir.hpp"
#include "support/traced.hpp"

#include <array>
#include <cstdint>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace finally_run;
using namespace std::string_literals;

TEST_CASE("the owner of a lock is the pid that /proc/locks has for its device and inode, not one that waits") {
    const std::string locks = "1: POSIX  ADVISORY  WRITE 11 08:01:77 0 EOF\n"
                              "2: FLOCK  ADVISORY  WRITE 12 08:02:77 0 EOF\n"
                              "3: -> FLOCK  ADVISORY  WRITE 13 08:01:77 0 EOF\n"
                              "4: FLOCK  ADVISORY  WRITE 14 08:01:77 0 EOF\n";
    CHECK(lock::owner_in_locks(locks, ::makedev(8, 1), 77) == 14);
    CHECK(lock::owner_in_locks(locks, ::makedev(8, 2), 77) == 12);
    CHECK(lock::owner_in_locks(locks, ::makedev(8, 1), 78) == 0);
    CHECK(lock::lines_of_locks(locks + "5: FLOCK  ADVISORY  READ 15 08:01:77 0 EOF\n", ::makedev(8, 1), 77) ==
          std::vector<lock::LockLine>{{13, false, true}, {14, false, false}, {15, true, false}});
    CHECK(
        lock::others_in_locks("1: FLOCK  ADVISORY  READ 15 08:01:77 0 EOF\n2: FLOCK  ADVISORY  READ 16 08:01:77 0 EOF\n"
                              "3: FLOCK  ADVISORY  READ 15 08:01:77 0 EOF\n",
                              ::makedev(8, 1), 77) == 1); // the kernel may tell one twice
    CHECK(lock::owner_in_locks("pos:\t0\nlock:\t1: FLOCK  ADVISORY  WRITE 14 08:01:77 0 EOF\n", ::makedev(8, 1), 77) ==
          14);
    CHECK(lock::owner_in_locks("1: FLOCK  ADVISORY  WRITE fourteen 08:01:77 0\n2: FLOCK ADVISORY WRITE 15 08:77 0\n"
                               "3: FLOCK :77 0\n",
                               ::makedev(8, 1), 77) == 0);
    CHECK(lock::owner_in_locks("garbage\n\n4: FLOCK", ::makedev(8, 1), 77) == 0);
    CHECK(lock::owner_in_locks("", ::makedev(8, 1), 77) == 0);
}

TEST_CASE("the holder of a lock is named, also when whoever took it has ended") {
    const test::TempDir dir;
    const int fd = ::open((dir / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat info = {};
    REQUIRE(::fstat(fd, &info) == 0);
    CHECK_FALSE(lock::find_holder(info.st_dev, info.st_ino).has_value());

    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(::flock(fd, LOCK_EX)); // the open file is ours too: the lock stays
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    const auto holder = lock::find_holder(info.st_dev, info.st_ino);
    REQUIRE(holder.has_value());
    CHECK(holder->pid == ::getpid());
    CHECK(holder->command.find("unit_tests") != std::string::npos);
    CHECK(holder->since <= std::chrono::system_clock::now() + std::chrono::seconds(1));
    ::close(fd);
}

// Of one on a file system that has hung stat(2) would not come back.
TEST_CASE("the search for a holder asks no file system about the descriptors of others") {
    const test::TempDir dir;
    const int fd = ::open((dir / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat info = {};
    REQUIRE(::fstat(fd, &info) == 0);
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(::flock(fd, LOCK_EX));
    REQUIRE(::waitpid(child, nullptr, 0) == child); // /proc/locks names a pid that is gone: all others are looked at
    const auto search = [&] { test::expect(lock::find_holder(info.st_dev, info.st_ino).has_value(), "no holder"); };
    CHECK_FALSE(test::Traced(search).hold_after(SYS_statx));
    test::Traced traced(search);
    std::array<std::uint64_t, 6> arguments{};
    while (traced.hold_after(SYS_newfstatat, &arguments)) {
        CHECK(static_cast<int>(arguments[0]) >= 0); // fstat(2), of a directory of /proc that it reads
    }
    CHECK(test::Traced(search).succeeded());
    ::close(fd);
}

TEST_CASE("since when a holder that is no run has been there is the same for all who ask") {
    const test::TempDir dir;
    const int fd = ::open((dir / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat info = {};
    REQUIRE(::fstat(fd, &info) == 0);
    REQUIRE(::flock(fd, LOCK_EX) == 0);
    const auto first = lock::find_holder(info.st_dev, info.st_ino);
    REQUIRE(first.has_value());
    // Long enough for the seconds of two clocks to change one after the other.
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(1100);
    bool same = true;
    while (std::chrono::steady_clock::now() < end) {
        const auto again = lock::find_holder(info.st_dev, info.st_ino);
        same = same && again.has_value() && again->since == first->since;
    }
    CHECK(same);
    ::close(fd);
}
