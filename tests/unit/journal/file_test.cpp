// journal/file: how a journal comes to be, who may read it, whose it is and how it ends.
#include "journal/file.hpp"

#include "scene.hpp"
#include "support/forked.hpp"
#include "support/hardship.hpp"

#include <cerrno>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

namespace finally_run::journal {

namespace {

using doctest::Contains;

struct stat status_of(const std::filesystem::path& path) {
    struct stat info = {};
    static_cast<void>(::lstat(path.c_str(), &info));
    return info;
}

mode_t mode_of(const std::filesystem::path& path) { return status_of(path).st_mode & ALLPERMS; }

int error_of_opening(const std::filesystem::path& path) {
    try {
        static_cast<void>(File::open(path));
        return 0;
    } catch (const std::system_error& error) {
        return error.code().value();
    }
}

// As on a file system that has no unnamed files.
void refuse_unnamed_files() {
    constexpr std::uint32_t unnamed = O_TMPFILE & ~O_DIRECTORY;
    test::refuse_system_call(SYS_openat, EOPNOTSUPP, 2, unnamed);
}

} // namespace

TEST_SUITE("journal/file") {
    TEST_CASE("a new journal has its first record and its lock before it has a name") {
        const Scene scene;
        File file = scene.create();
        CHECK(scene.names() == 0);
        CHECK_FALSE(file.is_there());
        CHECK(file.fd() >= 64);
        CHECK(::fcntl(file.fd(), F_GETFD) == FD_CLOEXEC);
        file.publish();
        CHECK(scene.names() == 1);
        CHECK(test::read_file(scene.path()) == encode(Scene::opened()));
        CHECK(File::open(scene.path()).is_locked_by_other());
    }

    TEST_CASE("to publish a journal only names it") {
        const Scene scene;
        File file = scene.create();
        file.append(SetupEnded{});
        struct stat before = {};
        REQUIRE(::fstat(file.fd(), &before) == 0);
        file.publish();
        const struct stat after = status_of(scene.path());
        CHECK(after.st_ino == before.st_ino);
        CHECK(after.st_dev == before.st_dev);
        CHECK(after.st_size == before.st_size);
        CHECK(after.st_nlink == 1);
        CHECK(file.is_there());
    }

    TEST_CASE("a journal whose name is taken is not published, and the other is as it was") {
        const Scene scene;
        test::write_file(scene.path(), "other");
        File file = scene.create();
        CHECK_THROWS_AS(file.publish(), std::system_error);
        CHECK(test::read_file(scene.path()) == "other");
        CHECK_FALSE(file.is_there());
    }

    TEST_CASE("a journal has mode 0600, whatever the umask") {
        const Scene scene;
        for (const mode_t mask : {0U, 0777U}) {
            const mode_t before = ::umask(mask);
            File file = scene.published();
            ::umask(before);
            CHECK(mode_of(scene.path()) == 0600);
            CHECK(file.remove());
        }
    }

    TEST_CASE("without unnamed files a journal has a name from the beginning, but none that is looked for") {
        const Scene scene;
        test::Forked other([&] {
            refuse_unnamed_files();
            ::umask(0777);
            File file = scene.create();
            test::expect(scene.names() == 1 && scene.runs.items().empty(), "it is looked for");
            file.publish();
            test::expect(scene.names() == 1 && file.is_there(), "it has no name");
            test::expect(mode_of(scene.path()) == 0600, "it has another mode");
            test::expect(File::open(scene.path()).is_locked_by_other(), "it is not locked");
            file.append(SetupEnded{});
            test::expect(File::open(scene.path()).read().size() == 2, "its records are not there");
        });
        CHECK(other.succeeded());
    }

    TEST_CASE("without unnamed files neither another's journal nor a link is taken for a new one") {
        const Scene scene;
        const auto hidden = scene.path().parent_path() / ("." + scene.path().filename().native());
        std::filesystem::create_symlink(scene.dir / "target", hidden);
        test::Forked other([&] {
            refuse_unnamed_files();
            try {
                static_cast<void>(scene.create());
            } catch (const std::system_error& error) {
                test::expect(error.code().value() == EEXIST, "another error");
                return;
            }
            test::expect(false, "it was created");
        });
        CHECK(other.succeeded());
        CHECK_FALSE(std::filesystem::exists(scene.dir / "target"));
    }

    TEST_CASE("on a full disk no journal is created, and no name is left") {
        const Scene scene;
        const test::FileSizeLimit full(10);
        CHECK_THROWS_AS(static_cast<void>(scene.create()), std::system_error);
        CHECK(scene.names() == 0);
        test::Forked other([&] {
            refuse_unnamed_files();
            try {
                static_cast<void>(scene.create());
            } catch (const std::system_error&) {
                return;
            }
            test::expect(false, "it was created");
        });
        CHECK(other.succeeded());
        CHECK(scene.names() == 0);
    }

    TEST_CASE("a durable journal is synced with its name and with each record, another never") {
        for (const bool durable : {true, false}) {
            CAPTURE(durable);
            const Scene scene;
            test::Forked other([&] {
                const auto fails = [](const auto& call) {
                    try {
                        call();
                    } catch (const std::system_error& error) {
                        return error.code().value() == EIO;
                    }
                    return false;
                };
                File file = scene.create(durable);
                test::refuse_system_call(SYS_fdatasync, EIO);
                test::refuse_system_call(SYS_fsync, EIO);
                test::expect(fails([&] { static_cast<void>(scene.create(durable)); }) == durable, "first record");
                test::expect(fails([&] { file.append(SetupEnded{}); }) == durable, "append");
                test::expect(file.append_started(Started::What::setup, 0) == (durable ? EIO : 0), "append_started");
                test::expect(fails([&] { file.publish(); }) == durable, "publish");
            });
            CHECK(other.succeeded());
        }
    }

    TEST_CASE("a journal that is not there is ENOENT") {
        const Scene scene;
        CHECK(error_of_opening(scene.path()) == ENOENT);
    }

    TEST_CASE("a journal is opened if it has mode 0600, or 0400 as a sealed one") {
        const Scene scene;
        scene.published().append(SetupEnded{});
        for (const mode_t mode : {0600U, 0400U}) {
            REQUIRE(::chmod(scene.path().c_str(), mode) == 0);
            File file = File::open(scene.path());
            CHECK(file.fd() >= 64);
            CHECK(::fcntl(file.fd(), F_GETFD) == FD_CLOEXEC);
            CHECK(file.read().size() == 2);
        }
    }

    TEST_CASE("a journal that others could have written is refused") {
        const Scene scene;
        static_cast<void>(scene.published());
        for (const mode_t mode : {0644U, 0620U, 0606U, 0700U, 0000U, 04600U, 01600U}) {
            CAPTURE(mode);
            REQUIRE(::chmod(scene.path().c_str(), mode) == 0);
            const int error = error_of_opening(scene.path());
            CHECK((error == EPERM || (mode == 0 && error == EACCES)));
        }
        CHECK_THROWS_WITH(static_cast<void>(File::open(scene.path())), Contains("mode 0600"));
    }

    TEST_CASE("a journal of another user is refused") {
        const Scene scene;
        std::string path = "/etc/passwd";
        if (::geteuid() == 0) {
            static_cast<void>(scene.published());
            path = scene.path();
            REQUIRE(::chown(path.c_str(), 65534, static_cast<gid_t>(-1)) == 0);
        }
        CHECK_THROWS_WITH_AS(static_cast<void>(File::open(path)), Contains("another user"), std::system_error);
    }

    TEST_CASE("a symbolic link is no journal, even to one") {
        const Scene scene;
        static_cast<void>(scene.published());
        const std::string link = scene.dir / "link";
        std::filesystem::create_symlink(scene.path(), link);
        CHECK_THROWS_WITH_AS(static_cast<void>(File::open(link)), Contains("symbolic link"), std::system_error);
    }

    TEST_CASE("a directory or a pipe is no journal, and opening it does not wait") {
        const Scene scene;
        REQUIRE(::mkdir((scene.dir / "directory").c_str(), 0600) == 0);
        CHECK(error_of_opening(scene.dir / "directory") != 0);
        REQUIRE(::mkfifo((scene.dir / "pipe").c_str(), 0600) == 0);
        CHECK_THROWS_WITH_AS(static_cast<void>(File::open(scene.dir / "pipe")), Contains("not a regular file"),
                             std::system_error);
    }

    TEST_CASE("the lock of a journal is shared with who is forked, and gone with the last of them") {
        const Scene scene;
        test::Gate forked;
        test::Gate go;
        std::optional<File> file = scene.published();
        test::Forked child([&] {
            go.close_writer();
            forked.open();
            static_cast<void>(go.pass());
        });
        REQUIRE(forked.pass());
        const File other = File::open(scene.path());
        CHECK(other.is_locked_by_other());
        CHECK_FALSE(other.try_lock());
        file.reset();
        CHECK(other.is_locked_by_other());
        CHECK_FALSE(other.try_lock());
        go.close_writer();
        CHECK(child.succeeded());
        CHECK_FALSE(other.is_locked_by_other());
        CHECK(other.try_lock());
    }

    TEST_CASE("a look at the lock of a journal leaves it free") {
        const Scene scene;
        static_cast<void>(scene.published());
        const File looker = File::open(scene.path());
        CHECK_FALSE(looker.is_locked_by_other());
        CHECK(File::open(scene.path()).try_lock());
    }

    TEST_CASE("a sealed journal shows it to everybody, until the seal is taken off") {
        const Scene scene;
        const File file = scene.published();
        const File other = File::open(scene.path());
        CHECK_FALSE(other.is_sealed_or_removed());
        file.seal();
        CHECK(other.is_sealed_or_removed());
        CHECK(mode_of(scene.path()) == 0400);
        file.unseal();
        CHECK_FALSE(other.is_sealed_or_removed());
        CHECK(mode_of(scene.path()) == 0600);
    }

    TEST_CASE("a sealed journal can be appended to by who had it open, and by no ordinary user who comes later") {
        const test::TempDir dir;
        const test::Unprivileged user(dir.path());
        File file = File::create(Runs(dir / "state"), Scene::opened(), false);
        file.publish();
        file.seal();
        file.append(SetupEnded{});
        File late = File::open(file.path());
        CHECK(late.read().size() == 2);
        try {
            late.append(SetupEnded{});
            FAIL_CHECK("it was appended");
        } catch (const std::system_error& error) {
            CHECK(error.code().value() == EBADF);
        }
    }

    TEST_CASE("a journal has one path for as long as it is there, whether somebody was told of its run or not") {
        const Scene scene;
        File file = scene.published();
        const File before = File::open(scene.path());
        REQUIRE(scene.runs.mark_told(Scene::opened().run_id, {}));
        CHECK_FALSE(std::filesystem::exists(scene.path()));
        CHECK(is_there(scene.path()));
        CHECK(file.is_there());
        CHECK(before.is_there());
        File after = File::open(scene.path());
        CHECK(after.path() == scene.path());
        CHECK(after.state_dir() == scene.dir / "state");
        CHECK(after.is_locked_by_other());
        after.append(SetupEnded{});
        CHECK(file.read().size() == 1);
        CHECK(File::open_to_read(scene.path()).read().size() == 2);
        REQUIRE(::chmod(place_of(scene.path()).c_str(), 0644) == 0);
        try {
            static_cast<void>(File::open(scene.path()));
            FAIL_CHECK("it was opened");
        } catch (const std::system_error& error) {
            CHECK(std::string(error.what()).find("/.runs/.told/") != std::string::npos); // where it is
        }
        CHECK(before.remove());
        CHECK_FALSE(is_there(scene.path()));
        CHECK_FALSE(file.is_there());
        CHECK(file.is_sealed_or_removed());
        CHECK(place_of(scene.path()) == scene.path());
        CHECK_THROWS_AS(static_cast<void>(File::open(scene.path())), std::system_error);
    }

    TEST_CASE("a journal that is removed has no name any more, and to remove it again is fine") {
        const Scene scene;
        const File file = scene.published();
        const File other = File::open(scene.path());
        CHECK(file.remove());
        CHECK(scene.names() == 0);
        CHECK(other.is_sealed_or_removed());
        CHECK_FALSE(other.is_there());
        CHECK(other.remove());
    }

    TEST_CASE("a journal that cannot be removed says why") {
        const Scene scene;
        const File file = scene.published();
        REQUIRE(::unlink(scene.path().c_str()) == 0);
        REQUIRE(::mkdir(scene.path().c_str(), 0700) == 0);
        errno = 0;
        CHECK_FALSE(file.remove());
        CHECK(errno == EISDIR);
    }

    TEST_CASE("another file at its path is not the journal") {
        const Scene scene;
        const File file = scene.published();
        REQUIRE(file.is_there());
        std::filesystem::rename(scene.path(), scene.dir / "elsewhere");
        CHECK_FALSE(file.is_there());
        test::write_file(scene.path(), "");
        CHECK_FALSE(file.is_there());
        std::filesystem::rename(scene.dir / "elsewhere", scene.path());
        CHECK(file.is_there());
        std::filesystem::rename(scene.path(), scene.dir / "elsewhere");
        std::filesystem::create_symlink(scene.dir / "elsewhere", scene.path());
        CHECK_FALSE(file.is_there());
    }
}

} // namespace finally_run::journal
