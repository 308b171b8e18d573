// journal/file: how a journal grows, by many at once, and how it is read meanwhile.
#include "journal/file.hpp"

#include "os/boot.hpp"
#include "scene.hpp"
#include "support/forked.hpp"
#include "support/hardship.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <deque>
#include <doctest/doctest.h>
#include <filesystem>
#include <numeric>
#include <optional>
#include <string>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace finally_run::journal {

namespace {

using Ids = std::vector<std::uint64_t>;

Ids ids_up_to(std::uint64_t count) {
    Ids ids(count);
    std::iota(ids.begin(), ids.end(), std::uint64_t(0));
    return ids;
}

int error_of_appending(File& file, const Record& record) {
    try {
        file.append(record);
        return 0;
    } catch (const std::system_error& error) {
        return error.code().value();
    }
}

} // namespace

TEST_SUITE("journal/file") {
    TEST_CASE("what was appended is read once, with its offsets, by whomever it was appended") {
        const Scene scene;
        File file = scene.published();
        CHECK(file.read().empty()); // whoever created it knows the first record
        File other = File::open(scene.path());
        const std::uint64_t first = std::filesystem::file_size(scene.path());
        other.append(finished(1));
        const std::uint64_t second = std::filesystem::file_size(scene.path());
        file.append(finished(2));
        const auto entries = file.read();
        REQUIRE(entries.size() == 2);
        CHECK(entries[0].offset == first);
        CHECK(entries[1].offset == second);
        CHECK(finished_in(entries) == Ids{1, 2});
        CHECK(file.read().empty());
        CHECK(other.read().size() == 3);
    }

    TEST_CASE("whoever appends knows where his record ends, whatever others have appended since") {
        const Scene scene;
        const File file = scene.published();
        File one = File::open(scene.path());
        File other = File::open(scene.path());
        other.append(finished(1));
        one.append(finished(2));
        const std::uint64_t end = std::filesystem::file_size(scene.path());
        other.append(finished(3));
        CHECK(one.end_of_append() == end);
        CHECK(other.end_of_append() == std::filesystem::file_size(scene.path()));
    }

    TEST_CASE("what is longer than one look is read whole") {
        const Scene scene;
        File file = scene.published();
        const Record long_one = registered(plan::Cleanup::Kind::command, std::string(100'000, 'x'));
        file.append(long_one);
        file.append(finished(1));
        const auto entries = file.read();
        REQUIRE(entries.size() == 2);
        CHECK((entries[0].record == long_one));
    }

    TEST_CASE("a process records its own start, with the time of it") {
        const Scene scene;
        File file = scene.published();
        const auto before = os::boot_nanoseconds();
        test::Forked child(
            [&] { test::expect(file.append_started(Started::What::cleanup, 77) == 0, "append_started"); });
        const pid_t pid = child.pid();
        REQUIRE(child.succeeded());
        const auto entries = file.read();
        REQUIRE(entries.size() == 1);
        const auto* const started = std::get_if<Started>(&entries[0].record);
        REQUIRE(started != nullptr);
        CHECK(started->what == Started::What::cleanup);
        CHECK(started->cleanup == 77);
        CHECK(started->process.pid == pid);
        CHECK(started->process.boot_nanoseconds >= before);
        CHECK(started->process.boot_nanoseconds <= os::boot_nanoseconds());
    }

    TEST_CASE("a record that did not fit on the disk does not count, now or later, and those behind it do") {
        const Scene scene;
        File file = scene.published();
        File other = File::open(scene.path());
        const auto size = std::filesystem::file_size(scene.path());
        for (const std::uintmax_t room : {0U, 1U, 8U, 15U, 25U}) {
            CAPTURE(room);
            const auto now = std::filesystem::file_size(scene.path());
            {
                const test::FileSizeLimit full(now + room);
                CHECK(error_of_appending(file, finished(13)) == (room == 0 ? EFBIG : ENOSPC));
                // With what was torn the disk is full to the last byte.
                CHECK(file.append_started(Started::What::setup, 0) == EFBIG);
            }
            CHECK(std::filesystem::file_size(scene.path()) == now + room);
            CHECK(file.read().empty());
            file.append(finished(room));
            CHECK(finished_in(file.read()) == Ids{room});
        }
        const auto all = other.read();
        CHECK(finished_in(all) == Ids{0, 1, 8, 15, 25});
        REQUIRE(all.size() == 6);
        CHECK(all[1].offset == size);
    }

    TEST_CASE("a start that is torn does not count") {
        const Scene scene;
        File file = scene.published();
        {
            const test::FileSizeLimit full(std::filesystem::file_size(scene.path()) + 10);
            CHECK(file.append_started(Started::What::setup, 0) == ENOSPC);
        }
        CHECK(file.read().empty());
        CHECK(file.append_started(Started::What::command, 0) == 0);
        const auto entries = file.read();
        REQUIRE(entries.size() == 1);
        CHECK(std::get<Started>(entries[0].record).what == Started::What::command);
    }

    TEST_CASE("a damaged journal says where, again at each look") {
        const Scene scene;
        File file = scene.published();
        file.append(finished(1));
        const auto at = std::filesystem::file_size(scene.path());
        REQUIRE(::write(file.fd(), "\x1Enonsense\n", 10) == 10);
        file.append(finished(2));
        const std::string words = "damaged at byte " + std::to_string(at);
        CHECK_THROWS_WITH_AS(static_cast<void>(file.read()), words.c_str(), Damaged);
        CHECK_THROWS_WITH_AS(static_cast<void>(file.read()), words.c_str(), Damaged);
    }

    TEST_CASE("a journal of a newer format says so") {
        const Scene scene;
        Opened opened = Scene::opened();
        opened.version = format_version + 1;
        static_cast<void>(scene.published());
        test::write_file(scene.path(), encode(opened));
        CHECK_THROWS_WITH_AS(static_cast<void>(File::open(scene.path()).read()), "written by a newer finally-run",
                             Damaged);
    }

    TEST_CASE("while another process appends 10000 records each of them is read once and in order") {
        constexpr std::uint64_t count = 10'000;
        const Scene scene;
        File file = scene.published();
        const test::Gate first_look; // or all may be there before it
        test::Forked writer([&] {
            File own = File::open(scene.path());
            for (std::uint64_t id = 0; id < count; ++id) {
                own.append(finished(id));
                if (id == 0) {
                    static_cast<void>(first_look.pass());
                }
            }
        });
        Ids seen;
        std::uint64_t looks = 0;
        siginfo_t ended = {};
        do {
            // Before the look, so that the last look comes after the last record.
            REQUIRE(::waitid(P_PID, static_cast<id_t>(writer.pid()), &ended, WEXITED | WNOHANG | WNOWAIT) == 0);
            const Ids now = finished_in(file.read());
            seen.insert(seen.end(), now.begin(), now.end());
            looks += now.empty() ? 0 : 1;
            if (!now.empty() && looks == 1) {
                first_look.open();
            }
        } while (ended.si_pid == 0);
        CHECK(writer.succeeded());
        CHECK(looks > 1);
        CHECK((seen == ids_up_to(count)));
    }

    TEST_CASE("8 processes that append at once lose nothing, and each keeps its order") {
        constexpr std::uint64_t writers = 8;
        constexpr std::uint64_t each = 1000;
        const Scene scene;
        File file = scene.published();
        test::Gate start;
        std::deque<test::Forked> processes;
        for (std::uint64_t writer = 0; writer < writers; ++writer) {
            processes.emplace_back([&] {
                File own = File::open(scene.path());
                start.close_writer();
                static_cast<void>(start.pass());
                for (std::uint64_t id = 0; id < each; ++id) {
                    own.append(finished(writer * each + id));
                }
            });
        }
        start.close_writer();
        for (test::Forked& process : processes) {
            CHECK(process.succeeded());
        }
        std::array<Ids, writers> by_writer;
        for (const std::uint64_t id : finished_in(file.read())) {
            by_writer.at(id / each).push_back(id % each);
        }
        for (const Ids& ids : by_writer) {
            CHECK((ids == ids_up_to(each)));
        }
    }
}

} // namespace finally_run::journal
