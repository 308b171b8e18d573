#include "journal/leftover.hpp"

#include "../sample_stack.hpp"
#include "support/forked.hpp"
#include "support/opening.hpp"
#include "support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/stat.h>
#include <utility>
#include <variant>

using namespace finally_run;

namespace {

using journal::Started;

// The journal of a run that nobody holds: with these records behind the first.
struct Left {
    test::TempDir dir;
    journal::Runs runs{dir / "state"};
    std::filesystem::path path = runs.journal_of(test::first_record().run_id);

    explicit Left(const std::vector<journal::Record>& records) {
        auto file = create();
        for (const journal::Record& record : records) {
            file.append(record);
        }
    }
    [[nodiscard]] journal::File create() const {
        auto file = journal::File::create(runs, test::first_record(), false);
        file.publish();
        return file;
    }
    [[nodiscard]] journal::Found look() const { return journal::claim(path, journal::Patience::some); }
    [[nodiscard]] std::string why_unreadable() const {
        const auto found = look();
        const auto* const unreadable = std::get_if<journal::Unreadable>(&found);
        return unreadable != nullptr ? unreadable->reason : "";
    }
};

const journal::Record registered = journal::Registered{{.kind = plan::Cleanup::Kind::command, .text = "cleanup"}};
const journal::Record began = Started{Started::What::command, {5, 6}, 0};

} // namespace

TEST_CASE("a run that had begun and that nobody holds is left over, and its lock is ours from then on") {
    const Left left({registered, began});
    {
        const auto found = left.look();
        REQUIRE(std::holds_alternative<journal::Leftover>(found));
        const auto& leftover = std::get<journal::Leftover>(found);
        CHECK(leftover.state.opened == test::first_record());
        REQUIRE(leftover.state.stack.size() == 1);
        CHECK(leftover.state.step.has_value());
        CHECK(std::holds_alternative<journal::Alive>(left.look()));
    }
    CHECK(std::holds_alternative<journal::Leftover>(left.look()));
    CHECK(std::filesystem::exists(left.path));
}

TEST_CASE("a run of another host is not claimed but by a person, and its journal is left as it is") {
    for (const auto& records : {std::vector<journal::Record>{registered, began}, std::vector<journal::Record>{}}) {
        Left left({});
        std::filesystem::remove(left.path);
        auto opened = test::first_record();
        opened.host = {"00000000000000000000000000000000", "another-name", 0};
        {
            auto file = journal::File::create(left.runs, opened, false);
            file.publish();
            for (const journal::Record& record : records) {
                file.append(record);
            }
        }
        const std::string text = test::read_file(left.path);
        CHECK(std::holds_alternative<journal::Elsewhere>(left.look()) == !records.empty());
        CHECK(test::read_file(left.path) == text);
        const auto found = journal::claim(left.path, journal::Patience::some, journal::Whose::any_host);
        CHECK(std::holds_alternative<journal::Leftover>(found) == !records.empty());
        CHECK(test::read_file(left.path) == text);
    }
}

TEST_CASE("a run whose journal somebody holds is alive, whatever is in the journal") {
    const Left left({began, journal::Over{true}});
    const auto file = journal::File::open(left.path);
    REQUIRE(file.try_lock());
    CHECK(std::holds_alternative<journal::Alive>(left.look()));
    test::write_file(left.path, "nonsense");
    CHECK(std::holds_alternative<journal::Alive>(left.look()));
    CHECK(std::filesystem::exists(left.path));
}

TEST_CASE("a run that is over or had not begun is gone, and its journal is taken away") {
    for (const auto& records :
         {std::vector<journal::Record>{began, journal::Over{}}, std::vector<journal::Record>{registered},
          std::vector<journal::Record>{}, std::vector<journal::Record>{registered, began, journal::Over{true}}}) {
        CAPTURE(records.size());
        const Left left(records);
        CHECK(std::holds_alternative<journal::Gone>(left.look()));
        CHECK_FALSE(std::filesystem::exists(left.path));
        CHECK(std::holds_alternative<journal::Gone>(left.look()));
    }
}

TEST_CASE("a run that was told of is claimed, or gone, as any other") {
    for (const bool is_over : {false, true}) {
        const Left left({began, is_over ? journal::Record(journal::Over{}) : journal::Record(registered)});
        REQUIRE(left.runs.mark_told(left.path.stem().native(), journal::tags_of(test::first_record())));
        {
            const auto holder = journal::File::open(left.path);
            REQUIRE(holder.try_lock());
            CHECK(std::holds_alternative<journal::Alive>(left.look()));
        }
        CHECK(std::holds_alternative<journal::Leftover>(left.look()) == !is_over);
        CHECK(journal::is_there(left.path) == !is_over);
        CHECK(std::holds_alternative<journal::Gone>(left.look()) == is_over);
        CHECK(std::filesystem::is_empty(left.path.parent_path()) == is_over);
    }
}

TEST_CASE("who appends to a run that is claimed sees that the order of the records decides") {
    const Left left({registered, began});
    const auto appends = journal::File::open(left.path);
    CHECK_FALSE(appends.is_sealed_or_removed());
    {
        const auto found = left.look();
        CHECK(appends.is_locked_by_other());
        CHECK(appends.is_sealed_or_removed());
        const auto again = left.look(); // by others, who do not get it
        CHECK(appends.is_sealed_or_removed());
    }
    CHECK_FALSE(appends.is_locked_by_other());
    CHECK_FALSE(appends.is_sealed_or_removed());
}

TEST_CASE("a run whose end is void is left over") {
    const Left left({began, registered, journal::Over{}});
    CHECK(std::holds_alternative<journal::Leftover>(left.look()));
}

TEST_CASE("a damaged journal is left as it is, and nothing of it is handed out") {
    const Left left({registered, began});
    const std::string text = test::read_file(left.path);
    test::write_file(left.path, text + "\x1Enonsense\n" + journal::encode(registered));
    CHECK(left.why_unreadable() == "damaged at byte " + std::to_string(text.size()));
    CHECK(std::filesystem::exists(left.path));
    CHECK(left.why_unreadable() != "");
}

TEST_CASE("a journal that others could have written is not read") {
    const Left left({registered, began});
    REQUIRE(::chmod(left.path.c_str(), 0640) == 0);
    CHECK(left.why_unreadable().find("mode 0600") != std::string::npos);
    const std::filesystem::path link = left.dir / "link";
    REQUIRE(::chmod(left.path.c_str(), 0600) == 0);
    std::filesystem::create_symlink(left.path, link);
    CHECK(std::holds_alternative<journal::Unreadable>(journal::claim(link, journal::Patience::some)));
}

TEST_CASE("who only looks whether a run lives does not make it alive") {
    const Left left({registered, began});
    bool found = false;
    // The moment for which another holds the lock may be longer than a look is patient; then once more.
    for (int round = 0; round < 100 && !found; ++round) {
        test::Gate locked;
        test::Forked looker([&] {
            const auto file = journal::File::open(left.path);
            test::expect(file.try_lock(), "lock");
            locked.open();
            ::poll(nullptr, 0, 2);
        });
        REQUIRE(locked.pass());
        found = std::holds_alternative<journal::Leftover>(left.look());
        CHECK(looker.succeeded());
    }
    CHECK(found);
}

TEST_CASE("a run that somebody finishes while its lock is awaited is gone") {
    bool alive = true;
    // Between the look's open and its patience the other has to be done; if it was not, once more.
    for (int round = 0; round < 100 && alive; ++round) {
        const Left left({registered, began});
        std::optional<journal::File> file = journal::File::open(left.path);
        REQUIRE(file->try_lock());
        const test::Opening opening(left.path);
        test::Gate answer;
        test::Forked looker([&] {
            file.reset();
            const auto found = left.look();
            answer.open(std::holds_alternative<journal::Gone>(found)    ? "gone"
                        : std::holds_alternative<journal::Alive>(found) ? "alive"
                                                                        : "left over");
        });
        opening.wait();
        file->remove();
        file.reset();
        const std::string found = answer.rest();
        REQUIRE(looker.succeeded());
        CHECK(found != "left over");
        alive = found != "gone";
    }
    CHECK_FALSE(alive);
}

TEST_CASE("the state of a run can be read whoever holds its lock") {
    const Left left({registered, began});
    const auto file = journal::File::open(left.path);
    REQUIRE(file.try_lock());
    std::string error;
    const auto state = journal::read_state(left.path, &error);
    REQUIRE(state.has_value());
    CHECK(state->stack.size() == 1);
    CHECK(state->begun);
    CHECK(error.empty());
}

TEST_CASE("a state that cannot be read says why to who asks") {
    const Left left({registered, began});
    test::write_file(left.path, "nonsense");
    std::string error;
    CHECK_FALSE(journal::read_state(left.path, &error).has_value());
    CHECK(error == "damaged at byte 0");
    CHECK_FALSE(journal::read_state(left.path).has_value());
    CHECK_FALSE(journal::read_state(left.dir / "missing", &error).has_value());
    CHECK(error.find("No such file") != std::string::npos);
}
