#include "engine/lookup.hpp"

#include "support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace finally_run;
namespace fs = std::filesystem;

namespace {

void make_helper(const fs::path& path, fs::perms mode = fs::perms::owner_all) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << "#!/bin/sh\n";
    fs::permissions(path, mode);
}

} // namespace

TEST_CASE("lock helpers are looked for beside our program and in libexec and then in PATH") {
    using Paths = std::vector<fs::path>;
    CHECK(engine::directories("/opt/bin/finally-run", "/a:/b") ==
          Paths{"/opt/bin", "/opt/libexec/finally-run", "/a", "/b"});
    CHECK(engine::directories("", "/a::b") == Paths{"/a", ".", "b"});
    CHECK(engine::directories("", "").empty());
}

TEST_CASE("the first lock helper that can be executed is taken and all engines are named") {
    const test::TempDir dir;
    const fs::path first = dir.path() / "first";
    const fs::path second = dir.path() / "second";
    make_helper(first / "finally-run-lock-a", fs::perms::owner_read);
    make_helper(second / "finally-run-lock-a");
    make_helper(second / "finally-run-lock-b");
    make_helper(first / "finally-run-lock-b");
    make_helper(first / "finally-run-lock-");
    fs::create_directory(first / "finally-run-lock-directory");
    const std::vector<fs::path> where{dir.path() / "none", first, second};
    CHECK(engine::find_helper("a", where) == second / "finally-run-lock-a");
    CHECK(engine::find_helper("b", where) == first / "finally-run-lock-b");
    CHECK_FALSE(engine::find_helper("c", where));
    CHECK_FALSE(engine::find_helper("directory", where));
    CHECK(engine::engines(where) == std::vector<std::string>{"a", "b"});
}
