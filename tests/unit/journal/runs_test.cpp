#include "journal/runs.hpp"

#include "scene.hpp"
#include "support/forked.hpp"
#include "support/hardship.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <cerrno>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <iterator>
#include <string>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <system_error>
#include <thread>
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

std::vector<std::string> ids_of(const std::vector<Item>& items) {
    std::vector<std::string> ids;
    std::ranges::transform(items, std::back_inserter(ids), &Item::id);
    return ids;
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
        std::filesystem::create_directories(dir / "state/.runs/.told/+12345678");
        for (const char* const name :
             {"20260102T000000-a.journal", ".told/20260101T235959-b.journal", "20260101T235959-b.log",
              "20260103T000000-c.log", ".20260104T000000-e.journal", ".journal", "journal", "20260101T000000-d.journal",
              "notes.txt", ".told/notes.txt", ".told/+12345678/20260105T000000-f"}) {
            test::write_file(dir / "state/.runs/" + name, "");
        }
        const Names expected{{"20260102T000000-a", false}, {"20260101T235959-b", true}, {"20260101T000000-d", false}};
        CHECK(names_of(runs) == expected);
        CHECK(names_of(runs) == expected);
        const Item told = runs.items()[1];
        CHECK(told.path == runs.journal_of("20260101T235959-b"));
        CHECK(told.has_log);
        CHECK_FALSE(runs.items()[0].has_log);
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

    TEST_CASE("a run is told of once, and nothing of that stays when its journal has gone") {
        for (const Tags& tags : {tags_of(Scene::opened()), Tags()}) {
            const Scene scene;
            File file = scene.published();
            const std::string id = Scene::opened().run_id;
            CHECK_FALSE(scene.runs.items().at(0).told);
            CHECK(scene.runs.mark_told(id, tags));
            CHECK_FALSE(scene.runs.mark_told(id, tags));
            REQUIRE(scene.runs.items().size() == 1);
            CHECK(scene.runs.items().at(0).told);
            CHECK(scene.runs.items().at(0).path == scene.path());
            CHECK(scene.runs.items_with(tags).size() == 1); // after the second time as well
            CHECK(file.remove());
            CHECK(scene.runs.items().empty());
            CHECK(scene.names() == 1); // .told
            scene.runs.forget_tags(id, tags_of(Scene::opened()));
            CHECK(scene.names() == 0);
            CHECK_FALSE(scene.runs.mark_told(id, tags));
            CHECK(scene.names() == 0);
        }
    }

    TEST_CASE("what stands under a tag for a run that is gone goes at the next look there, or at a look at all") {
        const Scene scene;
        const std::string id = Scene::opened().run_id;
        for (const bool at_all : {false, true}) {
            CAPTURE(at_all);
            const File file = scene.published();
            CHECK(scene.runs.mark_told(id, tags_of(Scene::opened())));
            CHECK(file.remove());
            if (at_all) {
                scene.runs.tidy();
            } else {
                CHECK(scene.runs.items_with(tags_of(Scene::opened())).empty());
            }
            CHECK(scene.names() == 0);
        }
        std::filesystem::create_directories(scene.dir / "state/.runs/.told/+12345678"); // whoever did so was killed
        scene.runs.tidy();
        CHECK(scene.names() == 0);
        Runs::nowhere(scene.dir / "none").tidy();
        CHECK(Runs::nowhere(scene.dir / "none").items_with({}).empty());
    }

    TEST_CASE("a run that was told of is met by who has one of its locks or its call, and by nobody else") {
        const Scene scene;
        const File file = scene.published();
        Opened opened = Scene::opened();
        opened.locks = {{"/locks/a", 1, 11, false}, {"/locks/b", 1, 22, true}};
        const auto is_found = [&](const Tags& tags) { return !scene.runs.items_with(tags).empty(); };
        const auto with = [](const LockId& lock) { return tags_of(std::vector{lock}); };
        Opened other = opened;
        other.command += " more";
        CHECK(is_found({})); // nobody was told of it
        CHECK(is_found(with({"/locks/c", 1, 33, false})));
        CHECK(scene.runs.mark_told(opened.run_id, tags_of(opened)));
        CHECK(scene.runs.items().size() == 1);
        CHECK_FALSE(is_found({}));
        CHECK_FALSE(is_found(with({"/locks/c", 1, 33, false})));
        CHECK_FALSE(is_found(with({"/locks/c", 2, 11, false})));
        CHECK_FALSE(is_found({tag_of_call(other)}));
        CHECK(is_found(with({"/locks/b", 7, 33, false})));          // made anew
        CHECK(is_found(with({"/elsewhere/locks/b", 1, 22, true}))); // another way there
        CHECK(is_found(tags_of(std::vector<LockId>{{"/locks/c", 1, 33, false}, {"/locks/a", 1, 11, false}})));
        CHECK(is_found({tag_of_call(opened)}));
        CHECK(scene.runs.items_with(tags_of(opened)).size() == 1); // once
    }

    TEST_CASE("a journal that could not be read is looked into each time") {
        const Scene scene;
        const std::string id = "what ever+it=is";
        test::write_file(scene.runs.journal_of(id), "");
        CHECK(scene.runs.mark_told(id, {}));
        REQUIRE(scene.runs.items_with({}).size() == 1);
        CHECK(scene.runs.items_with({}).at(0).told);
        CHECK(scene.runs.items_with({}).at(0).id == id);
        CHECK(scene.runs.items_with({"+12345678"}).size() == 1);
    }

    TEST_CASE("a run with many locks is found by each of them") {
        const Scene scene;
        const File file = scene.published();
        Opened many = Scene::opened();
        for (int i = 0; i < 100; ++i) {
            many.locks.push_back({"/locks/" + std::to_string(i), 1, static_cast<ino_t>(i), false});
        }
        CHECK(scene.runs.mark_told(many.run_id, tags_of(many)));
        for (const LockId& lock : many.locks) {
            CHECK(scene.runs.items_with(tags_of(std::vector{lock})).size() == 1);
        }
        CHECK(scene.runs.items_with({}).empty());
        CHECK(file.remove());
        scene.runs.forget_tags(many.run_id, tags_of(many));
        CHECK(scene.names() == 0);
    }

    TEST_CASE("of many runs those are met that were not told of or have the tag, the newest first") {
        const Scene scene;
        constexpr int count = 300;
        std::vector<std::string> expected;
        for (int i = count; i-- > 0;) {
            const std::string id = "20260101T000000-" + std::to_string(10'000'000 + i);
            test::write_file(scene.runs.journal_of(id), "");
            if (i % 3 != 0) {
                CHECK(scene.runs.mark_told(id, {i % 3 == 1 ? "+00000001" : "+00000002"}));
            }
            if (i % 3 != 1) {
                expected.push_back(id);
            }
        }
        CHECK(ids_of(scene.runs.items_with({"+00000002"})) == expected);
        CHECK(scene.runs.items().size() == count);
    }

    TEST_CASE("a run that is told of between two looks is seen at one of them") {
        const Scene scene;
        constexpr int count = 400;
        std::vector<std::string> ids;
        for (int i = 0; i < count; ++i) {
            ids.push_back("20260101T000000-" + std::to_string(10'000'000 + i));
            test::write_file(scene.runs.journal_of(ids.back()), "");
        }
        std::thread teller([&] {
            for (const std::string& id : ids) {
                static_cast<void>(scene.runs.mark_told(id, {"+00000001", "=00000002"}));
                scene.runs.forget_tags("another", {"+00000001", "+00000003"}); // who tidies up meanwhile
            }
        });
        std::size_t least = count;
        do {
            least = std::min({least, scene.runs.items_with({"+00000001"}).size(), scene.runs.items().size()});
        } while (std::filesystem::exists(scene.runs.journal_of(ids.back())));
        teller.join();
        CHECK(least == count);
        CHECK(scene.runs.items_with({}).empty());
    }

    TEST_CASE("a run stands under its tags before it is put among those that were told of") {
        const Scene scene;
        const File file = scene.published();
        const Tags tags = tags_of(Scene::opened());
        test::Forked other([&] {
#ifdef SYS_renameat
            test::refuse_system_call(SYS_renameat, EIO);
#endif
            test::refuse_system_call(SYS_renameat2, EIO);
            test::refuse_system_call(SYS_unlinkat, EIO); // as if it had been killed
            test::expect(scene.runs.mark_told(Scene::opened().run_id, tags), "it is there already");
        });
        CHECK(other.succeeded());
        CHECK(std::filesystem::exists(scene.path()));
        for (const std::string& tag : tags) {
            CHECK(std::filesystem::exists(scene.dir / "state/.runs/.told/" + tag + "/" + Scene::opened().run_id));
        }
        REQUIRE(scene.runs.items_with(tags).size() == 1);
        CHECK_FALSE(scene.runs.items_with(tags).at(0).told);
        CHECK(scene.runs.mark_told(Scene::opened().run_id, tags));
        CHECK(scene.runs.items_with(tags).at(0).told);
    }

    TEST_CASE("where there is no room for a directory it is told of each time, and nothing stays") {
        const Scene scene;
        const File file = scene.published();
        test::write_file(scene.dir / "state/.runs/.told", "in the way");
        CHECK(scene.runs.mark_told(Scene::opened().run_id, tags_of(Scene::opened())));
        CHECK(file.is_there());
        CHECK_THROWS_AS(static_cast<void>(scene.runs.items()), std::system_error);
        std::filesystem::remove(scene.dir / "state/.runs/.told");
        std::filesystem::create_directory(scene.dir / "state/.runs/.told");
        test::write_file(scene.dir / "state/.runs/.told/" + tag_of_call(Scene::opened()), "in the way");
        CHECK(scene.runs.mark_told(Scene::opened().run_id, tags_of(Scene::opened())));
        CHECK(scene.runs.items().size() == 1);
        CHECK_FALSE(scene.runs.items().at(0).told);
        CHECK_FALSE(scene.runs.mark_told("another", tags_of(Scene::opened()))); // which is not there
        std::filesystem::remove_all(scene.dir / "state/.runs/.told");
        CHECK(scene.runs.mark_told(Scene::opened().run_id, tags_of(Scene::opened())));
        CHECK(scene.runs.items().at(0).told);
        CHECK(scene.names() == 1);
    }

    TEST_CASE("of a run that was told of it is told once more when it cannot be read any more") {
        const Scene scene;
        const File file = scene.published();
        const std::string id = Scene::opened().run_id;
        CHECK(scene.runs.mark_told(id, tags_of(Scene::opened())));
        CHECK(scene.runs.mark_told(id, {}));
        CHECK_FALSE(scene.runs.mark_told(id, {}));
        CHECK_FALSE(scene.runs.mark_told(id, tags_of(Scene::opened())));
        CHECK(scene.runs.items_with({}).size() == 1);
    }
}

} // namespace finally_run::journal
