// journal/file: what is read of a journal that is damaged while its run lives.
#include "journal/file.hpp"

#include "scene.hpp"
#include "support/forked.hpp"
#include "support/hardship.hpp"

#include <doctest/doctest.h>
#include <fstream>
#include <stdexcept>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>

namespace finally_run::journal {

namespace {

// As anybody may who has the right to.
void scribble(const Scene& scene, std::string_view bytes) {
    std::ofstream(scene.path(), std::ios::app | std::ios::binary) << bytes;
}

// The ids of the CleanupEnded that are new.
std::vector<std::uint64_t> salvaged(File& file) {
    std::vector<Entry> entries;
    file.salvage([&](Entry entry) { entries.push_back(std::move(entry)); });
    return finished_in(entries);
}

using Ids = std::vector<std::uint64_t>;

} // namespace

TEST_SUITE("journal/file") {
    TEST_CASE("what stands before and behind damage is salvaged, once, and the damage is known from then on") {
        const std::string whole = encode(finished(9));
        std::string flipped = whole;
        flipped[flipped.size() - 3] ^= 1;
        for (const std::string& garbage : {std::string("garbage\n"), std::string("garbage"), std::string("\x1E"),
                                           std::string("\x1E"
                                                       "0000"),
                                           whole.substr(3), flipped, std::string(5000, 'x'),
                                           std::string("\x1E"
                                                       "ffffffff 00000000 x\n"),
                                           std::string(3, '\0') + "x", std::string("\n")}) {
            CAPTURE(garbage);
            const Scene scene;
            File file = scene.published();
            file.append(finished(1));
            scribble(scene, garbage);
            file.append(finished(2));
            CHECK(salvaged(file) == Ids{1, 2});
            // A record that was cut off in front of a whole one is no damage.
            const bool torn = garbage == "\x1E" || garbage == "\x1E"
                                                              "0000";
            CHECK(file.damage().empty() == torn);
            file.append(finished(3));
            CHECK(salvaged(file) == Ids{3});
            CHECK(salvaged(file).empty());
            CHECK(file.damage().empty() == torn);
            if (!torn) {
                File stranger = File::open(scene.path());
                CHECK_THROWS_AS(static_cast<void>(stranger.read()), Damaged);
            }
        }
    }

    TEST_CASE("a journal that has shrunk is damaged, and what is appended after that was seen is read") {
        const Scene scene;
        File file = scene.published();
        file.append(finished(1));
        CHECK(salvaged(file) == Ids{1});
        REQUIRE(::truncate(scene.path().c_str(), 10) == 0);
        CHECK(salvaged(file).empty());
        CHECK(file.damage() == "it has shrunk");
        file.append(finished(2));
        CHECK(salvaged(file) == Ids{2});
    }

    TEST_CASE("a journal that has shrunk and grown again is damaged") {
        const Scene scene;
        File file = scene.published();
        file.append(finished(1));
        CHECK(salvaged(file) == Ids{1});
        REQUIRE(::truncate(scene.path().c_str(), 0) == 0);
        while (std::filesystem::file_size(scene.path()) < 400) {
            file.append(finished(77));
        }
        static_cast<void>(salvaged(file));
        CHECK_FALSE(file.damage().empty());
    }

    TEST_CASE("a record for which there was no room in the reader's memory comes again") {
        const Scene scene;
        File file = scene.published();
        for (std::uint64_t id = 1; id <= 3; ++id) {
            file.append(finished(id));
        }
        Ids ids;
        CHECK_THROWS_AS(file.salvage([&](const Entry& entry) {
            if (ids.size() == 1) {
                throw std::bad_alloc();
            }
            ids.push_back(std::get<CleanupEnded>(entry.record).cleanup);
        }),
                        std::bad_alloc);
        CHECK(ids == Ids{1});
        CHECK(salvaged(file) == Ids{2, 3});
        CHECK(file.damage().empty());
    }

    TEST_CASE("large and small records are read whole, whatever pieces they are read in") {
        const Scene scene;
        File file = scene.published();
        Ids expected;
        for (std::uint64_t id = 1; id < 60; ++id) {
            file.append(CleanupEnded{id, std::string(id % 7 == 0 ? id * 2000 : id * 20, 'x')});
            expected.push_back(id);
        }
        CHECK(salvaged(file) == expected);
        File other = File::open(scene.path());
        CHECK(other.read_opened() == Scene::opened());
        CHECK(finished_in(other.read()) == expected);
    }

    TEST_CASE("where the mode of a file cannot be changed a journal is sealed all the same") {
        const Scene scene;
        const File file = scene.published();
        test::Forked sealer([&] {
            test::refuse_system_call(SYS_fchmod, 0); // it says that it did it
            const File other = File::open(scene.path());
            test::expect(!other.is_sealed_or_removed(), "it is sealed before");
            file.seal();
            test::expect(other.is_sealed_or_removed(), "nobody sees the seal");
            file.unseal();
            test::expect(!other.is_sealed_or_removed(), "the seal stays");
        });
        CHECK(sealer.succeeded());
    }
}

} // namespace finally_run::journal
