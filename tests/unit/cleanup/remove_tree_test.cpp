#include "cleanup/remove_tree.hpp"

#include "cleanup/walk.hpp"
#include "os/fd.hpp"
#include "support/forked.hpp"
#include "support/hardship.hpp"
#include "support/temp_dir.hpp"
#include "support/traced.hpp"

#include <array>
#include <atomic>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace {

using namespace finally_run;
using cleanup::Care;
using cleanup::remove_tree;
using test::TempDir;
namespace fs = std::filesystem;

constexpr uid_t foreign_uid = 12345;
constexpr Care own{.others = Care::Others::go, .kept = {}};

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
        REQUIRE(chown(temp.path().c_str(), foreign_uid, foreign_uid) == 0);
    }
    const pid_t child = fork();
    if (child == 0) {
        if (root && setuid(foreign_uid) != 0) {
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
    REQUIRE(chown((temp / "t/a/theirs").c_str(), foreign_uid, foreign_uid) == 0);
    CHECK(remove_tree(AT_FDCWD, temp / "t") == "a/theirs: belongs to another user (uid 12345)");
    CHECK(there(temp / "t/a/theirs"));
    CHECK_FALSE(there(temp / "t/a/ours"));
    CHECK_FALSE(there(temp / "t/b"));

    touch(temp / "t/a/theirs too");
    touch(temp / "t/dir/ours");
    REQUIRE(chown((temp / "t/a/theirs too").c_str(), foreign_uid, foreign_uid) == 0);
    REQUIRE(chown((temp / "t/dir").c_str(), foreign_uid, foreign_uid) == 0);
    const auto complaint = remove_tree(AT_FDCWD, temp / "t").value_or("");
    CHECK(complaint.ends_with(": belongs to another user (uid 12345) (and 2 more)"));
    CHECK(there(temp / "t/dir/ours"));

    REQUIRE(chown((temp / "t").c_str(), foreign_uid, foreign_uid) == 0);
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

namespace {

// t with a file, a directory, and two directories of `elsewhere` mounted in it, one of them over something.
bool mount_twice(const TempDir& temp) {
    touch(temp / "t/d/file");
    touch(temp / "t/full/covered");
    touch(temp / "elsewhere/a/kept");
    touch(temp / "elsewhere/b/c/kept");
    fs::create_directory(temp / "t/empty");
    const auto bind = [&](const std::string& from, const std::string& to) {
        return mount((temp / from).c_str(), (temp / to).c_str(), nullptr, MS_BIND, nullptr) == 0;
    };
    return bind("elsewhere/a", "t/empty") && bind("elsewhere/b", "t/full");
}

bool only_mounts_are_left(const TempDir& temp) {
    for (const Care& care : {Care{}, own}) {
        const auto complaint = remove_tree(AT_FDCWD, temp / "t", care).value_or("");
        if (!complaint.ends_with(": is a mount point (and 1 more)")) {
            return false;
        }
    }
    return there(temp / "elsewhere/a/kept") && there(temp / "elsewhere/b/c/kept") && !there(temp / "t/d") &&
           remove_tree(AT_FDCWD, temp / "t/full") == "is a mount point";
}

// As before Linux 5.8: struct statx without a word about STATX_ATTR_MOUNT_ROOT.
void forget_mount_root(pid_t pid, const std::array<std::uint64_t, 6>& arguments) {
    for (const std::size_t offset :
         {offsetof(struct statx, stx_attributes), offsetof(struct statx, stx_attributes_mask)}) {
        static_assert(sizeof(long) == sizeof(std::uint64_t));
        auto* const word = reinterpret_cast<void*>(arguments[4] + offset);
        const long value = ptrace(PTRACE_PEEKDATA, pid, word, nullptr);
        ptrace(PTRACE_POKEDATA, pid, word, value & ~static_cast<long>(STATX_ATTR_MOUNT_ROOT));
    }
}

} // namespace

TEST_CASE("mount points stay although statx does not tell of them") {
    const TempDir temp;
    const int status = in_namespaces([&] {
        if (!mount_twice(temp)) {
            return 101;
        }
        test::Traced traced([&] { test::expect(only_mounts_are_left(temp), "what was mounted has been emptied"); });
        return traced.succeeded(SYS_statx, forget_mount_root) ? 0 : 1;
    });
    CHECK(status == 0);
}

TEST_CASE("mount points stay, and all else goes, although statx is refused") {
    for (const int error : {ENOSYS, EPERM}) {
        CAPTURE(error);
        const TempDir temp;
        const int status = in_namespaces([&] {
            if (!mount_twice(temp)) {
                return 101;
            }
            test::refuse_system_call(SYS_statx, error);
            touch(temp / "closed/sub/file");
            fs::permissions(temp / "closed", fs::perms(0));
            if (remove_tree(AT_FDCWD, temp / "closed", own) || there(temp / "closed")) {
                return 2;
            }
            return only_mounts_are_left(temp) ? 0 : 1;
        });
        CHECK(status == 0);
    }
}

TEST_CASE("where nothing tells a mount point, a directory that may be one stays, and that is said") {
    const TempDir temp;
    touch(temp / "t/d/file");
    touch(temp / "t/file");
    test::Forked process([&] {
        test::refuse_system_call(SYS_statx, EPERM);
        test::refuse_system_call(SYS_unlinkat, EROFS, 2, AT_REMOVEDIR);
        const auto complaint = remove_tree(AT_FDCWD, temp / "t", own);
        test::expect(complaint == "Read-only file system, and nothing tells whether it is a mount point",
                     "another reason");
    });
    CHECK(process.succeeded());
    CHECK(there(temp / "t/d/file"));
}

TEST_CASE("in a directory of our own all goes that the kernel lets go, and what it does not is said") {
    const TempDir temp;
    touch(temp / "t/theirs/file");
    touch(temp / "t/dir/theirs");
    touch(temp / "t/ours/file");
    if (geteuid() == 0) {
        // As for an ordinary user with a directory of root's in his own.
        REQUIRE(chown((temp / "t").c_str(), foreign_uid, foreign_uid) == 0);
        REQUIRE(chown((temp / "t/dir").c_str(), foreign_uid, foreign_uid) == 0);
        REQUIRE(chown((temp / "t/ours").c_str(), foreign_uid, foreign_uid) == 0);
        const int status = as_ordinary_user(temp, [&] {
            const auto complaint = remove_tree(AT_FDCWD, temp / "t", own);
            return complaint == "theirs/file: Permission denied" && !there(temp / "t/ours") && !there(temp / "t/dir")
                       ? 0
                       : 1;
        });
        CHECK(status == 0);
        CHECK(remove_tree(AT_FDCWD, temp / "t", own) == "belongs to another user (uid 12345)");
        REQUIRE(chown((temp / "t").c_str(), 0, 0) == 0);
        REQUIRE(chown((temp / "t/theirs").c_str(), foreign_uid, foreign_uid) == 0);
        REQUIRE(chown((temp / "t/theirs/file").c_str(), foreign_uid, foreign_uid) == 0);
    }
    CHECK(remove_tree(AT_FDCWD, temp / "t", own) == std::nullopt);
    CHECK_FALSE(there(temp / "t"));
}

TEST_CASE("the home and the state directory stay, whatever has become of the path since it was allowed") {
    const TempDir temp;
    fs::create_directories(temp / "home/me/work");
    touch(temp / "state/runs/journal");
    const std::string home = temp / "home/me";
    const std::string state = temp / "state";
    const Care care{.kept = cleanup::Kept{home, state}};
    const auto reason = [&](const std::string& path) { return remove_tree(AT_FDCWD, temp / path, care).value_or(""); };
    CHECK(reason("home/me") == "is the home directory");
    CHECK(reason("home") == "contains the home directory");
    CHECK(reason("state") == "is the state directory");
    CHECK(reason("state/runs") == "lies in the state directory");
    CHECK(reason("state/runs/journal") == "lies in the state directory");
    fs::create_symlink(temp / "state", temp / "link");
    CHECK(reason("link/runs/journal") == "lies in the state directory");
    CHECK(remove_tree(AT_FDCWD, "/proc/..//proc/../tmp/..//" + temp.path().string() + "/home", care) ==
          "contains the home directory");
    CHECK(there(home + "/work"));
    CHECK(there(temp / "state/runs/journal"));
    CHECK(reason("home/me/work").empty());
    CHECK(reason("link").empty());
    CHECK(there(temp / "state/runs/journal"));
}

TEST_CASE("a link that has come into the path since its links were resolved is refused, and a directory is not") {
    const TempDir temp;
    fs::create_directories(temp / "build/sub");
    fs::create_symlink("build", temp / "first");
    touch(temp / "precious/sub/h");
    touch(temp / "precious/h");
    const os::Fd start(open(temp.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const auto remove = [&](const std::string& path) {
        return remove_tree(start.get(), path, {.no_links = true}).value_or("");
    };
    const auto resolved = cleanup::without_links(start.get(), "./first/sub//h/");
    CHECK(resolved == "build/sub/h");
    fs::remove_all(temp / "build");
    CHECK(remove(resolved).empty()); // it is not there
    fs::create_symlink("precious", temp / "build");
    CHECK(remove(resolved) == "build: has become a symbolic link");
    CHECK(remove("build/h") == "build: has become a symbolic link");
    CHECK(there(temp / "precious/sub/h"));
    CHECK(there(temp / "precious/h"));
    fs::remove(temp / "build");
    touch(temp / "build/sub/h");
    CHECK(remove(resolved).empty());
    CHECK_FALSE(there(temp / "build/sub/h"));
    CHECK(there(temp / "precious/sub/h"));
}

TEST_CASE("the links in a path are resolved but for its last name and what is missing") {
    const TempDir temp;
    fs::create_directories(temp / "a/b");
    fs::create_symlink(temp / "a/b", temp / "absolute");
    fs::create_symlink("../a/b", temp / "a/up");
    fs::create_symlink("absolute", temp / "twice");
    fs::create_symlink("loop", temp / "loop");
    const os::Fd start(open(temp.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    const auto resolved = [&](const std::string& path) { return cleanup::without_links(start.get(), path); };
    CHECK(resolved("x") == "x");
    CHECK(resolved("absolute") == "absolute");
    CHECK(resolved("twice/x") == temp / "a/b/x");
    CHECK(resolved("a/up/x") == "a/../a/b/x");
    CHECK(resolved("a/../x/../y/z") == "a/../x/../y/z");
    CHECK(resolved(temp / "twice/x") == temp / "a/b/x");
    CHECK(resolved("loop/x") == "loop/x");
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
        const rlimit small{262'144, 262'144};
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
    if (during) { // the writer won each round, or all the time
        const bool known =
            *during == "d: Directory not empty" || *during == "d: is being filled as fast as it can be emptied";
        CHECK_MESSAGE(known, *during);
    }
    CHECK(remove_tree(AT_FDCWD, temp / "t") == std::nullopt);
    CHECK_FALSE(there(temp / "t"));
}

TEST_CASE(
    "a removal ends although what appears is never all of it: on tmpfs, where reading a directory has no end then") {
    const TempDir temp;
    const int status = on_tmpfs(temp, [&] {
        touch(temp / "t/d/file");
        const test::Gate gate;
        const test::Forked writer([&] {
            const os::Fd directory(open((temp / "t/d").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
            for (unsigned i = 0;; ++i) {
                const auto name = std::to_string(i);
                mknodat(directory.get(), name.c_str(), S_IFREG | 0600, 0);
                if (i == 1000) {
                    gate.open();
                }
            }
        });
        if (!gate.pass()) {
            return 1;
        }
        const auto complaint = remove_tree(AT_FDCWD, temp / "t");
        // The writer may have lost.
        return !complaint || *complaint == "d: is being filled as fast as it can be emptied" ||
                       *complaint == "d: Directory not empty"
                   ? 0
                   : 2;
    });
    CHECK(status == 0);
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
