#include "cleanup/remove_tree.hpp"

#include "os/fd.hpp"
#include "support/temp_dir.hpp"

#include <array>
#include <atomic>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace finally_run;
using cleanup::remove_tree;
using test::TempDir;
namespace fs = std::filesystem;

constexpr uid_t stranger = 12345;

bool there(const std::string& path) { return fs::exists(fs::symlink_status(path)); }

void touch(const std::string& path) {
    fs::create_directories(fs::path(path).parent_path());
    test::write_file(path, "x");
}

// Runs `body` in a child process that owns a user and a mount namespace; its result is the child's status.
template <class Body> int in_namespaces(Body body) {
    const auto uid = std::to_string(geteuid());
    const auto gid = std::to_string(getegid());
    const pid_t child = fork();
    if (child == 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
            _exit(100);
        }
        test::write_file("/proc/self/setgroups", "deny");
        test::write_file("/proc/self/uid_map", "0 " + uid + " 1");
        test::write_file("/proc/self/gid_map", "0 " + gid + " 1");
        _exit(body());
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    return WEXITSTATUS(status);
}

// Large trees take seconds in memory and minutes on a busy disk.
template <class Body> int on_tmpfs(const TempDir& temp, Body body) {
    return in_namespaces(
        [&] { return mount("none", temp.path().c_str(), "tmpfs", 0, "nr_inodes=0") == 0 ? body() : 101; });
}

// Runs `body` in a child process that is bound by permissions: as root, those of another user.
template <class Body> int as_ordinary_user(const TempDir& temp, Body body) {
    const bool root = geteuid() == 0;
    if (root) {
        REQUIRE(chown(temp.path().c_str(), stranger, stranger) == 0);
    }
    const pid_t child = fork();
    if (child == 0) {
        if (root && setuid(stranger) != 0) {
            _exit(100);
        }
        _exit(body());
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    return WEXITSTATUS(status);
}

} // namespace

TEST_CASE("a tree goes with all that is in it, whatever the names") {
    const TempDir temp;
    touch(temp / "t/a/b/c");
    touch(temp / "t/\xff\xfe\n -rf *");
    fs::create_directories(temp / "t/empty/er");
    REQUIRE(mkfifo((temp / "t/fifo").c_str(), 0600) == 0);
    touch(temp / "other");
    CHECK(remove_tree(AT_FDCWD, temp / "t") == std::nullopt);
    CHECK_FALSE(there(temp / "t"));
    CHECK(there(temp / "other"));
}

TEST_CASE("a path may be relative to a directory that cannot be read, and end in slashes") {
    const TempDir temp;
    touch(temp / "d/t/a");
    const os::Fd directory(open((temp / "d").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    CHECK(remove_tree(directory.get(), "../d/./t//") == std::nullopt);
    CHECK_FALSE(there(temp / "d/t"));
}

TEST_CASE("what is missing is already removed") {
    const TempDir temp;
    touch(temp / "file");
    CHECK(remove_tree(AT_FDCWD, temp / "t") == std::nullopt);
    CHECK(remove_tree(AT_FDCWD, temp / "no/such/t") == std::nullopt);
    CHECK(remove_tree(AT_FDCWD, temp / "file/t") == std::nullopt);
    CHECK(there(temp / "file"));
}

TEST_CASE("a single file goes too") {
    const TempDir temp;
    touch(temp / "file");
    CHECK(remove_tree(AT_FDCWD, temp / "file") == std::nullopt);
    CHECK_FALSE(there(temp / "file"));
}

TEST_CASE("symbolic links are removed and never followed, even with a slash behind them") {
    const TempDir temp;
    touch(temp / "kept/file");
    fs::create_directory(temp / "t");
    fs::create_symlink(temp / "kept", temp / "t/link");
    fs::create_symlink("nowhere", temp / "t/dangling");
    fs::create_symlink("kept", temp / "link");
    CHECK(remove_tree(AT_FDCWD, temp / "t") == std::nullopt);
    CHECK(remove_tree(AT_FDCWD, temp / "link/") == std::nullopt);
    CHECK_FALSE(there(temp / "t"));
    CHECK_FALSE(there(temp / "link"));
    CHECK(there(temp / "kept/file"));
}

// In a root directory of its own: a bug must not cost the machine's.
TEST_CASE("paths without a name of their own are never removed") {
    const TempDir temp;
    touch(temp / "d/file");
    const int status = in_namespaces([&] {
        if (chroot(temp.path().c_str()) != 0 || chdir("/d") != 0) {
            return 101;
        }
        for (const std::string path : {"", "/", "//", ".", "/d/.", "/d/../"}) {
            if (remove_tree(AT_FDCWD, path) == std::nullopt) {
                return 1;
            }
        }
        return there("/d/file") ? 0 : 2;
    });
    CHECK(status == 0);
    CHECK(there(temp / "d/file"));
}

TEST_CASE("own directories without permissions are no obstacle") {
    const TempDir temp;
    const int status = as_ordinary_user(temp, [&] {
        touch(temp / "t/mod/pkg/file");
        fs::permissions(temp / "t/mod/pkg", fs::perms(0500));
        fs::permissions(temp / "t/mod", fs::perms(0));
        fs::permissions(temp / "t", fs::perms(0100));
        return remove_tree(AT_FDCWD, temp / "t") == std::nullopt && !there(temp / "t") ? 0 : 1;
    });
    CHECK(status == 0);
}

TEST_CASE("a directory that its owner may not change is an error") {
    const TempDir temp;
    const int status = as_ordinary_user(temp, [&] {
        touch(temp / "above/t");
        fs::permissions(temp / "above", fs::perms(0500));
        const auto complaint = remove_tree(AT_FDCWD, temp / "above/t");
        fs::permissions(temp / "above", fs::perms(0700));
        return complaint == "Permission denied" && there(temp / "above/t") ? 0 : 1;
    });
    CHECK(status == 0);
}

TEST_CASE("another user's entries stay, the first is named, and the rest of the tree goes") {
    const TempDir temp;
    if (geteuid() != 0) {
        // Only root can make a stranger's file; but this one is root's, and no bug could remove it.
        CHECK(remove_tree(AT_FDCWD, "/proc/1") == "belongs to another user (uid 0)");
        return;
    }
    touch(temp / "t/a/theirs");
    touch(temp / "t/a/ours");
    touch(temp / "t/b/c/ours");
    REQUIRE(chown((temp / "t/a/theirs").c_str(), stranger, stranger) == 0);
    CHECK(remove_tree(AT_FDCWD, temp / "t") == "a/theirs: belongs to another user (uid 12345)");
    CHECK(there(temp / "t/a/theirs"));
    CHECK_FALSE(there(temp / "t/a/ours"));
    CHECK_FALSE(there(temp / "t/b"));

    touch(temp / "t/a/theirs too");
    touch(temp / "t/dir/ours");
    REQUIRE(chown((temp / "t/a/theirs too").c_str(), stranger, stranger) == 0);
    REQUIRE(chown((temp / "t/dir").c_str(), stranger, stranger) == 0);
    const auto complaint = remove_tree(AT_FDCWD, temp / "t").value_or("");
    CHECK(complaint.ends_with(": belongs to another user (uid 12345) (and 2 more)"));
    CHECK(there(temp / "t/dir/ours"));

    REQUIRE(chown((temp / "t").c_str(), stranger, stranger) == 0);
    CHECK(remove_tree(AT_FDCWD, temp / "t") == "belongs to another user (uid 12345)");
}

TEST_CASE("mount points stay with all that is in them") {
    const TempDir temp;
    touch(temp / "t/file");
    touch(temp / "t/mounted file");
    touch(temp / "elsewhere/kept");
    fs::create_directories(temp / "t/d/tmpfs");
    fs::create_directories(temp / "t/d/bind");
    const int status = in_namespaces([&] {
        const auto bind = [&](const std::string& from, const std::string& to) {
            return mount(from.c_str(), (temp / to).c_str(), nullptr, MS_BIND, nullptr) == 0;
        };
        if (mount("none", (temp / "t/d/tmpfs").c_str(), "tmpfs", 0, nullptr) != 0 ||
            !bind(temp / "elsewhere", "t/d/bind") || !bind(temp / "elsewhere/kept", "t/mounted file")) {
            return 101;
        }
        touch(temp / "t/d/tmpfs/kept");
        const auto complaint = remove_tree(AT_FDCWD, temp / "t").value_or("");
        const auto direct = remove_tree(AT_FDCWD, temp / "t/d/bind");
        if (!complaint.ends_with(": is a mount point (and 2 more)") || direct != "is a mount point") {
            return 1;
        }
        return there(temp / "t/d/tmpfs/kept") && there(temp / "elsewhere/kept") && !there(temp / "t/file") ? 0 : 2;
    });
    CHECK(status == 0);
}

TEST_CASE("a tree of 100,000 levels goes with a handful of descriptors and a small stack") {
    const TempDir temp;
    const int status = on_tmpfs(temp, [&] {
        os::Fd level(open(temp.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        for (int i = 0; i < 100000 && level; ++i) {
            mkdirat(level.get(), "d", 0700);
            level = os::Fd(openat(level.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        }
        if (!level) {
            return 1;
        }
        level.reset();
        const rlimit few{16, 16};
        const rlimit small{256 * 1024, 256 * 1024};
        setrlimit(RLIMIT_NOFILE, &few);
        setrlimit(RLIMIT_STACK, &small);
        return remove_tree(AT_FDCWD, temp / "d") == std::nullopt && !there(temp / "d") ? 0 : 2;
    });
    CHECK(status == 0);
}

TEST_CASE("a directory of 100,000 entries goes") {
    const TempDir temp;
    const int status = on_tmpfs(temp, [&] {
        fs::create_directory(temp / "t");
        const os::Fd directory(open((temp / "t").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        for (int i = 0; i < 100000; ++i) {
            const auto name = "an entry with a name of some length " + std::to_string(i);
            const int made = i % 10 == 0 ? mkdirat(directory.get(), name.c_str(), 0700)
                                         : mknodat(directory.get(), name.c_str(), S_IFREG | 0600, 0);
            if (made != 0) {
                return 1;
            }
        }
        return remove_tree(AT_FDCWD, temp / "t") == std::nullopt && !there(temp / "t") ? 0 : 2;
    });
    CHECK(status == 0);
}

TEST_CASE("a tree goes although files appear in it while it is being removed") {
    const TempDir temp;
    for (int i = 0; i < 5000; ++i) {
        touch(temp / ("t/d/" + std::to_string(i)));
    }
    const os::Fd watch(inotify_init1(IN_CLOEXEC));
    REQUIRE(inotify_add_watch(watch.get(), (temp / "t/d").c_str(), IN_DELETE | IN_ONESHOT) >= 0);
    std::thread writer([&] {
        std::array<char, 4096> event{};
        if (read(watch.get(), event.data(), event.size()) > 0) {
            for (int i = 0; i < 200; ++i) {
                const auto name = temp / ("t/d/late " + std::to_string(i));
                const os::Fd late(open(name.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
            }
        }
    });
    CHECK(remove_tree(AT_FDCWD, temp / "t") == std::nullopt);
    writer.join();
    CHECK_FALSE(there(temp / "t"));
}

TEST_CASE("a removal ends although files never stop appearing") {
    const TempDir temp;
    touch(temp / "t/d/file");
    std::atomic<bool> stop = false;
    std::atomic<bool> running = false;
    std::thread writer([&] {
        for (int i = 0; !stop; ++i) {
            const os::Fd file(
                open((temp / ("t/d/" + std::to_string(i))).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
            running = true;
        }
    });
    while (!running) {
        std::this_thread::yield();
    }
    const auto during = remove_tree(AT_FDCWD, temp / "t");
    stop = true;
    writer.join();
    if (during) { // the writer won each round
        CHECK(*during == "d: Directory not empty");
    }
    CHECK(remove_tree(AT_FDCWD, temp / "t") == std::nullopt);
    CHECK_FALSE(there(temp / "t"));
}

TEST_CASE("two removals of one tree do not disturb each other") {
    const TempDir temp;
    for (int i = 0; i < 3000; ++i) {
        touch(temp / ("t/" + std::to_string(i % 50) + "/" + std::to_string(i % 7) + "/" + std::to_string(i)));
    }
    std::optional<std::string> other;
    std::thread remover([&] { other = remove_tree(AT_FDCWD, temp / "t"); });
    const auto mine = remove_tree(AT_FDCWD, temp / "t");
    remover.join();
    CHECK(mine == std::nullopt);
    CHECK(other == std::nullopt);
    CHECK_FALSE(there(temp / "t"));
}
