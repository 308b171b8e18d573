#include "cleanup/remove_tree.hpp"
#include "os/fd.hpp"
#include "support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>

namespace {

using finally_run::test::TempDir;
namespace fs = std::filesystem;

// home/me with work and, not there yet, .local/state/finally-run.
struct Home {
    TempDir temp;
    std::string home = temp / "home/me";
    std::string state = home + "/.local/state/finally-run";

    Home() { fs::create_directories(home + "/work"); }

    [[nodiscard]] std::string reason(const std::string& path) const {
        const finally_run::os::Fd start(open((home + "/work").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        return finally_run::cleanup::refuse_reason(start.get(), path, {home, state}).value_or("");
    }
};

} // namespace

TEST_CASE("paths without a name of their own are refused") {
    const Home at;
    CHECK(at.reason("") == "is empty");
    CHECK(at.reason("/") == "is the root directory");
    CHECK(at.reason("///") == "is the root directory");
    for (const std::string path : {".", "..", "./", "../", "x/.", "x/..//", "/."}) {
        CAPTURE(path);
        CHECK(at.reason(path).starts_with("ends in \"."));
    }
}

TEST_CASE("a path with a name that no file can have is refused, and a long one of short names is not") {
    const Home at;
    const std::string longest(255, 'x');
    for (const std::string& path : {longest, longest + "/", "a/" + longest + "/" + longest}) {
        CHECK(at.reason(path).empty());
    }
    for (const std::string& path : {longest + "x", "/" + longest + "x/y", "a/" + longest + "x/"}) {
        CHECK(at.reason(path) == "has a name of more than 255 bytes");
    }
}

TEST_CASE("files and directories below the home directory may be removed, there or not") {
    const Home at;
    finally_run::test::write_file(at.home + "/file", "");
    for (const std::string path : {"x", "../work", "../work/", "../file", "../.locals", "a/b/c", "...", "..x"}) {
        CAPTURE(path);
        CHECK(at.reason(path).empty());
    }
    CHECK(at.reason(at.home + "/work").empty());
    CHECK(at.reason(at.temp / "home/you").empty());
    CHECK(at.reason("/no such directory").empty());
}

TEST_CASE("the home directory and what contains it are refused, by whatever path") {
    const Home at;
    CHECK(at.reason(at.home) == "is the home directory");
    CHECK(at.reason("../../me//") == "is the home directory");
    CHECK(at.reason(at.temp / "home/./me/work/../../me") == "is the home directory");
    CHECK(at.reason(at.temp / "home") == "contains the home directory");
    CHECK(at.reason("/tmp/../" + at.temp.path().string()) == "contains the home directory");
    fs::create_directory_symlink(at.temp / "home", at.temp / "link");
    CHECK(at.reason(at.temp / "link/me") == "is the home directory");
}

TEST_CASE("the state directory and what contains it are refused before they exist") {
    const Home at;
    CHECK(at.reason(at.state) == "is the state directory");
    CHECK(at.reason("../.local/state/finally-run/") == "is the state directory");
    CHECK(at.reason("../.local/state") == "contains the state directory");
    CHECK(at.reason("../.local") == "contains the state directory");
    CHECK(at.reason("../.local/state/finally-run/x") == "lies in the state directory");
    CHECK(at.reason("../.local/state/finally").empty());
    CHECK(at.reason("../.local/share").empty());
}

TEST_CASE("the state directory and what contains it are refused when they exist") {
    const Home at;
    fs::create_directories(at.state + "/inside");
    CHECK(at.reason(at.state) == "is the state directory");
    CHECK(at.reason("../.local/state") == "contains the state directory");
    CHECK(at.reason("../.local") == "contains the state directory");
    CHECK(at.reason(at.state + "/inside") == "lies in the state directory");
    finally_run::test::write_file(at.state + "/lock", "");
    fs::create_symlink("lock", at.state + "/link");
    CHECK(at.reason(at.state + "/lock") == "lies in the state directory");
    CHECK(at.reason(at.state + "/link") == "lies in the state directory");
    CHECK(at.reason(at.state + "/inside/none") == "lies in the state directory");
    CHECK(at.reason("../.local/share").empty());
}

TEST_CASE("a symbolic link to the home directory is only a link") {
    const Home at;
    fs::create_directory_symlink(at.home, at.home + "/work/link");
    CHECK(at.reason("link").empty());
    CHECK(at.reason("link/").empty());
    CHECK(at.reason("link/../me") == "is the home directory");
}

TEST_CASE("no home directory is no reason") {
    const Home at;
    const std::string state = at.temp / "state";
    CHECK(finally_run::cleanup::refuse_reason(AT_FDCWD, at.home, {"", state}) == std::nullopt);
}
