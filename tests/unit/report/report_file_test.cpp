#include "report/report_file.hpp"

#include "channel.hpp"
#include "os/fd.hpp"
#include "support/temp_dir.hpp"

#include <array>
#include <csignal>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace {

using namespace finally_run;
using report::write_atomically;
using test::read_file;
using test::TempDir;

os::Fd opened(const TempDir& temp) { return os::Fd(open(temp.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)); }

int error_of(const TempDir& temp, const std::string& path, std::string_view text = "new") {
    try {
        write_atomically(opened(temp).get(), path, text);
        return 0;
    } catch (const std::system_error& error) {
        CHECK(std::string(error.what()).find(path) != std::string::npos);
        return error.code().value();
    }
}

std::ptrdiff_t entries(const TempDir& temp) {
    return std::distance(std::filesystem::directory_iterator(temp.path()), {});
}

mode_t mode_of(const std::string& path) {
    struct stat found {};
    REQUIRE(stat(path.c_str(), &found) == 0);
    return found.st_mode & 07777U;
}

} // namespace

TEST_CASE("a report is a file relative to the directory of the start, readable as the umask allows") {
    const TempDir temp;
    const mode_t old = umask(027);
    CHECK(error_of(temp, "r.json", "text") == 0);
    umask(old);
    CHECK(read_file(temp / "r.json") == "text");
    CHECK(mode_of(temp / "r.json") == 0640);
    CHECK(entries(temp) == 1);
}

TEST_CASE("a report replaces an old one, while who has that open still reads all of it") {
    const TempDir temp;
    test::write_file(temp / "r", "old");
    const os::Fd reader(open((temp / "r").c_str(), O_RDONLY | O_CLOEXEC));
    CHECK(error_of(temp, temp / "r") == 0);
    std::array<char, 8> buffer{};
    CHECK(read(reader.get(), buffer.data(), buffer.size()) == 3);
    CHECK(std::string(buffer.data()) == "old");
    CHECK(read_file(temp / "r") == "new");
}

TEST_CASE("a symbolic link is replaced by the report, whatever it leads to, and one to a directory is an error") {
    const TempDir temp;
    std::filesystem::create_directory(temp / "d");
    test::write_file(temp / "d/real", "old");
    for (const char* const target : {"d/real", "nowhere", "link"}) {
        std::filesystem::create_symlink(target, temp / "link");
        CHECK(error_of(temp, "link") == 0);
        CHECK_FALSE(std::filesystem::is_symlink(temp / "link"));
        CHECK(read_file(temp / "link") == "new");
        std::filesystem::remove(temp / "link");
    }
    CHECK(read_file(temp / "d/real") == "old");
    CHECK_FALSE(std::filesystem::exists(temp / "nowhere"));
    std::filesystem::create_directory_symlink("d", temp / "link");
    CHECK(error_of(temp, "link") == EISDIR);
    CHECK(error_of(temp, "link/r") == 0); // in the path it is followed
    CHECK(read_file(temp / "d/r") == "new");
}

TEST_CASE("a stranger's link in a directory for all leads a report nowhere") {
    const TempDir temp;
    test::write_file(temp / "precious", "kept");
    std::filesystem::create_directory(temp / "tmp");
    REQUIRE(chmod((temp / "tmp").c_str(), 01777) == 0);
    std::filesystem::create_symlink(temp / "precious", temp / "tmp/r");
    std::filesystem::create_symlink("r", temp / "tmp/way");
    if (geteuid() == 0) {
        REQUIRE(lchown((temp / "tmp/r").c_str(), 12345, 12345) == 0);
    }
    for (const char* const path : {"tmp/r", "tmp/way"}) {
        CHECK(error_of(temp, path) == 0);
        CHECK(read_file(temp / path) == "new");
    }
    CHECK(read_file(temp / "precious") == "kept");
}

TEST_CASE("an old report of ours keeps its mode, and a stranger's passes on no right") {
    const TempDir temp;
    const mode_t old = umask(022);
    for (const mode_t mode : {0600U, 0640U, 0666U, 0755U}) {
        test::write_file(temp / "r", "old");
        REQUIRE(chmod((temp / "r").c_str(), mode) == 0);
        CHECK(error_of(temp, "r") == 0);
        CHECK(mode_of(temp / "r") == mode);
    }
    if (geteuid() == 0) {
        for (const mode_t mode : {0600U, 0666U}) {
            REQUIRE(chmod((temp / "r").c_str(), mode) == 0);
            REQUIRE(chown((temp / "r").c_str(), 12345, 12345) == 0);
            CHECK(error_of(temp, "r") == 0);
            CHECK(mode_of(temp / "r") == (mode & 0644U));
        }
    }
    umask(old);
}

TEST_CASE("what cannot be a report is an error that leaves nothing behind") {
    const TempDir temp;
    std::filesystem::create_directory(temp / "d");
    test::write_file(temp / "file", "old");
    CHECK(error_of(temp, "d") == EISDIR);
    CHECK(error_of(temp, "d/") == EISDIR);
    CHECK(error_of(temp, "new/") == ENOENT);
    CHECK(error_of(temp, "missing/r") == ENOENT);
    CHECK(error_of(temp, "file/r") == ENOTDIR);
    CHECK(error_of(temp, std::string(300, 'n')) == ENAMETOOLONG);
    CHECK(entries(temp) == 2);
}

TEST_CASE("when there is no room the old report stays, and nothing beside it") {
    const TempDir temp;
    test::write_file(temp / "r", "old");
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto handler = signal(SIGXFSZ, SIG_IGN);
    const rlimit small{5000, before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    const int error = error_of(temp, "r", std::string(10000, 'x'));
    setrlimit(RLIMIT_FSIZE, &before);
    static_cast<void>(signal(SIGXFSZ, handler));
    CHECK(error == EFBIG);
    CHECK(read_file(temp / "r") == "old");
    CHECK(entries(temp) == 1);
}

// A terminal of our own, for no bug can replace it: nothing can be created or renamed in devpts. (As root, a test that
// wrote to /dev/null would risk the machine's.)
TEST_CASE("a device stays a device") {
    const TempDir temp;
    // Root could replace the machine's own, so the test makes them; where nobody may make devices, nobody can replace
    // them.
    const bool own = mknod((temp / "null").c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0 &&
                     mknod((temp / "full").c_str(), S_IFCHR | 0600, makedev(1, 7)) == 0;
    const std::string null = own ? temp / "null" : "/dev/null";
    const std::string full = own ? temp / "full" : "/dev/full";
    CHECK(error_of(temp, null) == 0);
    CHECK(error_of(temp, full) == ENOSPC);
    CHECK(std::filesystem::is_character_file(null));
    CHECK(std::filesystem::is_character_file(full));
}

TEST_CASE("a FIFO gets the report if someone reads it, and is an error if not") {
    const TempDir temp;
    REQUIRE(mkfifo((temp / "fifo").c_str(), 0600) == 0);
    CHECK(error_of(temp, "fifo") == ENXIO);
    const os::Fd reader(open((temp / "fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    CHECK(error_of(temp, "fifo") == 0);
    std::array<char, 8> buffer{};
    CHECK(read(reader.get(), buffer.data(), buffer.size()) == 3);
    CHECK(std::filesystem::is_fifo(temp / "fifo"));
}

TEST_CASE("the name of a descriptor means what is open there: a log goes on where it is, a socket works") {
    const TempDir temp;
    test::write_file(temp / "log", "");
    const os::Fd log(open((temp / "log").c_str(), O_WRONLY)); // inherited: without close-on-exec
    REQUIRE(write(log.get(), "one ", 4) == 4);
    CHECK(error_of(temp, fmt::format("/dev/fd/{}", log.get())) == 0);
    REQUIRE(write(log.get(), " two", 4) == 4);
    CHECK(read_file(temp / "log") == "one new two");

    std::array<int, 2> ends{};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
    const os::Fd near(ends[0]);
    const os::Fd far(ends[1]);
    CHECK(error_of(temp, fmt::format("/proc/self/fd/{}", near.get())) == 0);
    std::array<char, 8> buffer{};
    CHECK(read(far.get(), buffer.data(), buffer.size()) == 3);
}

TEST_CASE("a descriptor of finally-run itself is no place for a report") {
    const TempDir temp;
    const os::Fd own(open((temp / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    CHECK(error_of(temp, fmt::format("/dev/fd/{}", own.get())) == EBADF);
    CHECK(read_file(temp / "lock").empty());
}
