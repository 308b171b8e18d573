#include "journal/runs.hpp"

#include "scene.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <functional>
#include <iterator>
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
        for (const std::string& tags : {tags_of(Scene::opened()), std::string()}) {
            CHECK_FALSE(scene.runs.items().at(0).told);
            CHECK(scene.runs.mark_told(id, tags));
            CHECK_FALSE(scene.runs.mark_told(id, tags));
            REQUIRE(scene.runs.items().size() == 1);
            CHECK(scene.runs.items().at(0).told);
            scene.runs.forget_mark(id, tags_of(Scene::opened()));
        }
        for (const std::string& tags : {tags_of(Scene::opened()), std::string()}) {
            CHECK(scene.runs.mark_told(id, tags));
        }
        CHECK(file.remove());
        CHECK(scene.runs.items(Runs::Marks::leave).empty());
        CHECK(scene.names() == 2);
        CHECK(scene.runs.items().empty());
        CHECK(scene.names() == 0);
    }

    TEST_CASE("a mark tells by its name which locks and which call its run has not") {
        const Scene scene;
        const File file = scene.published();
        Opened opened = Scene::opened();
        opened.locks = {{"/locks/a", 1, 11, false}, {"/locks/b", 1, 22, true}};
        const auto is_found = [&](const std::string& tags) { return !scene.runs.items_with(tags).empty(); };
        const auto with = [](const LockId& lock) { return tags_of(std::vector{lock}); };
        Opened other = opened;
        other.command += " more";
        CHECK(is_found("")); // nobody was told of it
        CHECK(is_found(with({"/locks/c", 1, 33, false})));
        CHECK(scene.runs.mark_told(opened.run_id, tags_of(opened)));
        CHECK(scene.runs.items().size() == 1);
        CHECK_FALSE(is_found(""));
        CHECK_FALSE(is_found(with({"/locks/c", 1, 33, false})));
        CHECK_FALSE(is_found(with({"/locks/c", 2, 11, false})));
        CHECK_FALSE(is_found(tag_of_call(other)));
        CHECK(is_found(with({"/locks/b", 7, 33, false})));          // made anew
        CHECK(is_found(with({"/elsewhere/locks/b", 1, 22, true}))); // another way there
        CHECK(is_found(with({"/locks/c", 1, 33, false}) + with({"/locks/a", 1, 11, false})));
        CHECK(is_found(tag_of_call(opened)));
    }

    TEST_CASE("what a mark does not tell of is looked into each time") {
        const Scene scene;
        const File file = scene.published();
        const std::string id = Scene::opened().run_id;
        Opened many = Scene::opened();
        many.locks.assign(20, {"/locks/a", 1, 11, false});
        // As older versions made it, and whoever could not read the journal; and one that somebody has made up.
        for (const std::string& made :
             {id + ".told", id + "+1234.told", id + "+1234567x.told", id + "+12345678-12345678.told"}) {
            CAPTURE(made);
            test::write_file(scene.dir / "state/.runs/" + made, "");
            REQUIRE(scene.runs.items_with("").size() == 1);
            CHECK(scene.runs.items_with("").at(0).told);
            std::filesystem::remove(scene.dir / "state/.runs/" + made);
        }
        std::filesystem::create_directory(scene.dir / "state/.runs/" + id + "+12345678.told"); // no mark
        CHECK(scene.runs.items_with("").size() == 1);
        std::filesystem::remove(scene.dir / "state/.runs/" + id + "+12345678.told");
        CHECK(scene.runs.mark_told(id, tags_of(many))); // a name has an end
        REQUIRE(scene.runs.items_with("").size() == 1);
        CHECK(scene.runs.items_with("").at(0).told);
    }

    TEST_CASE("ids that differ by one sign are told apart whatever they look like") {
        const Scene scene;
        const std::string marked = "20260102T030405-6789abcd";
        test::write_file(scene.runs.journal_of(marked), "");
        CHECK(scene.runs.mark_told(marked, "+00000001"));
        CHECK(scene.runs.items_with("+00000002").empty());
        std::vector<std::string> others;
        for (std::size_t at = 0; at < marked.size(); ++at) {
            for (const char sign : {'0', '1', '3', '7', '9', 'a', 'f', 'g', 'A', 'T', '-', ':'}) {
                std::string other = marked;
                other[at] = sign;
                if (other != marked && !other.starts_with('.')) {
                    others.push_back(std::move(other));
                }
            }
        }
        others.push_back(marked + '0');
        others.push_back(marked.substr(0, marked.size() - 1));
        others.emplace_back("x"); // with its mark shorter than an id of ours
        std::ranges::sort(others, std::greater());
        for (const std::string& other : others) {
            test::write_file(scene.runs.journal_of(other), "");
        }
        const auto ids_of = [](const std::vector<Item>& items) {
            std::vector<std::string> ids;
            std::ranges::transform(items, std::back_inserter(ids), &Item::id);
            return ids;
        };
        CHECK(ids_of(scene.runs.items_with("+00000002")) == others);
        for (const std::string& other : others) {
            CHECK(scene.runs.mark_told(other, "+00000001"));
        }
        for (const Item& item : scene.runs.items_with("+00000002")) { // an id that is none of ours is looked into
            CHECK(item.told);
            CHECK(item.id != marked);
        }
        CHECK(scene.runs.items().size() == others.size() + 1);
    }

    TEST_CASE("of many runs each has its own mark") {
        const Scene scene;
        constexpr int count = 300;
        for (int i = 0; i < count; ++i) {
            const std::string id = "20260101T000000-" + std::to_string(10'000'000 + i);
            test::write_file(scene.runs.journal_of(id), "");
            if (i % 3 != 0) {
                CHECK(scene.runs.mark_told(id, i % 3 == 1 ? "+00000001" : "+00000002"));
            }
        }
        const auto found = scene.runs.items_with("+00000002");
        CHECK(found.size() == count / 3 * 2);
        for (const Item& item : found) {
            const int i = std::stoi(item.id.substr(item.id.size() - 8)) - 10'000'000;
            CHECK(i % 3 != 1);
            CHECK(item.told == (i % 3 == 2));
        }
        CHECK(std::ranges::is_sorted(found, std::greater(), &Item::id));
        CHECK(scene.runs.items().size() == count);
        CHECK(scene.names() == count + count / 3 * 2);
        for (const Item& item : found) {
            std::filesystem::remove(item.path);
        }
        std::filesystem::remove(scene.runs.journal_of("20260101T000000-10000001")); // its mark is passed over
        CHECK(scene.runs.items_with("+00000002").empty());
        CHECK(scene.names() == 2 * (count / 3 - 1));
    }
}

} // namespace finally_run::journal
