#include "journal/runs.hpp"

#include "scene.hpp"
#include "support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <utility>
#include <vector>

namespace finally_run::journal {

namespace {

using Names = std::vector<std::pair<std::string, bool>>;

Names names_of(const Runs& runs) {
    Names names;
    for (const Item& item : runs.items()) {
        names.emplace_back(item.id, item.told);
    }
    return names;
}

} // namespace

TEST_SUITE("journal/runs") {
    TEST_CASE("the directory of the journals is private, like the state directory around it") {
        const test::TempDir dir;
        const mode_t before = ::umask(0);
        const Runs runs(dir / "state");
        ::umask(before);
        for (const std::string& path : {dir / "state", dir / "state/.runs"}) {
            struct stat info = {};
            REQUIRE(::stat(path.c_str(), &info) == 0);
            CHECK((info.st_mode & ALLPERMS) == 0700);
        }
        CHECK(::fcntl(runs.directory().get(), F_GETFD) == FD_CLOEXEC);
        CHECK(runs.directory().get() >= 64);
    }

    TEST_CASE("a directory of journals that others could write to, or a link, is refused") {
        const test::TempDir dir;
        static_cast<void>(Runs(dir / "state"));
        REQUIRE(::chmod((dir / "state/.runs").c_str(), 0770) == 0);
        CHECK_THROWS_AS(Runs(dir / "state"), std::system_error);
        std::filesystem::rename(dir / "state/.runs", dir / "elsewhere");
        REQUIRE(::chmod((dir / "elsewhere").c_str(), 0700) == 0);
        std::filesystem::create_symlink(dir / "elsewhere", dir / "state/.runs");
        CHECK_THROWS_AS(Runs(dir / "state"), std::system_error);
        std::filesystem::remove(dir / "state/.runs");
        CHECK_NOTHROW(Runs(dir / "state"));
        REQUIRE(::chmod((dir / "state").c_str(), 0755) == 0);
        CHECK_THROWS_AS(Runs(dir / "state"), std::system_error);
    }

    TEST_CASE("to ask whether there are runs creates nothing") {
        const test::TempDir dir;
        CHECK_FALSE(Runs::exist(dir / "state"));
        CHECK_FALSE(std::filesystem::exists(dir / "state"));
        static_cast<void>(Runs(dir / "state"));
        CHECK(Runs::exist(dir / "state"));
    }

    TEST_CASE("the runs are those with a journal, the newest first, and those that were told of") {
        const test::TempDir dir;
        const Runs runs(dir / "state");
        CHECK(runs.items().empty());
        for (const char* const name : {"20260102T000000-a.journal", "20260101T235959-b.journal",
                                       "20260101T235959-b.told", "20260103T000000-c.log", ".20260104T000000-e.journal",
                                       ".journal", "journal", "20260101T000000-d.journal", "notes.txt"}) {
            test::write_file(dir / "state/.runs/" + name, "");
        }
        const Names expected{{"20260102T000000-a", false}, {"20260101T235959-b", true}, {"20260101T000000-d", false}};
        CHECK(names_of(runs) == expected);
        CHECK(names_of(runs) == expected);
        CHECK(runs.items()[1].path == dir / "state/.runs/20260101T235959-b.journal");
    }

    TEST_CASE("a journal and the log of its run lie beside each other") {
        const test::TempDir dir;
        const Runs runs(dir / "state");
        CHECK(runs.journal_of("id") == dir / "state/.runs/id.journal");
        CHECK(runs.log_of("id") == dir / "state/.runs/id.log");
        test::write_file(runs.journal_of("id"), "");
        REQUIRE(runs.items().size() == 1);
        CHECK(runs.items()[0].id == "id");
        CHECK(runs.items()[0].path == runs.journal_of("id"));
    }

    TEST_CASE("a run is marked as told once, and the mark goes when its journal has gone") {
        const Scene scene;
        File file = scene.published();
        const std::string id = Scene::opened().run_id;
        CHECK_FALSE(scene.runs.items().at(0).told);
        CHECK(scene.runs.mark_told(id));
        CHECK_FALSE(scene.runs.mark_told(id));
        REQUIRE(scene.runs.items().size() == 1);
        CHECK(scene.runs.items().at(0).told);
        CHECK(file.remove());
        CHECK(scene.runs.items().empty());
        CHECK(scene.names() == 0);
    }
}

} // namespace finally_run::journal
