#include "cleanup/fresh_directory.hpp"

#include "support/temp_dir.hpp"
#include "support/traced.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <sys/stat.h>
#include <system_error>

using namespace finally_run;

namespace {

mode_t mode_of(const std::filesystem::path& path) {
    struct stat info = {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    return info.st_mode & ALLPERMS;
}

} // namespace

TEST_CASE("a temporary directory is private, whatever the umask") {
    const test::TempDir dir;
    const std::string path = cleanup::fresh_name(dir.path());
    const mode_t before = ::umask(0777);
    const os::Fd made = cleanup::make_private_directory(path);
    ::umask(before);
    CHECK(mode_of(path) == 0700);
}

#if defined(SYS_mkdir) // what mkdir(2) is called by
TEST_CASE("a link that takes the place of a temporary directory just made is not followed") {
    const test::TempDir dir;
    const std::filesystem::path victim = dir / "victim";
    std::filesystem::create_directory(victim);
    std::filesystem::permissions(victim, std::filesystem::perms(0755));
    const std::string path = cleanup::fresh_name(dir.path());
    test::Traced process([&] {
        bool refused = false;
        try {
            static_cast<void>(cleanup::make_private_directory(path));
        } catch (const std::system_error&) {
            refused = true;
        }
        test::expect(refused, "the link is refused");
    });
    REQUIRE(process.hold_after(SYS_mkdir));
    REQUIRE(std::filesystem::remove(path));
    std::filesystem::create_directory_symlink(victim, path);
    CHECK(process.succeeded());
    CHECK(mode_of(victim) == 0755);
}
#endif
