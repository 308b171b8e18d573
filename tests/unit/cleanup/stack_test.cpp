#include "cleanup/stack.hpp"

#include "../sample_stack.hpp"
#include "support/forked.hpp"
#include "support/hardship.hpp"
#include "support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <sys/syscall.h>
#include <system_error>
#include <vector>

using namespace finally_run;
using cleanup::Cleanup;
using Kind = Cleanup::Kind;

namespace {

Cleanup command(std::string text) { return {.kind = Kind::command, .text = std::move(text)}; }

// What --defer does: another process, another open file.
void defer(cleanup::Stack& stack, std::string text) {
    auto file = journal::File::open(stack.file().path());
    file.append(journal::Registered{command(std::move(text))});
}

// Less is left than a record needs.
test::FileSizeLimit full_disk(const std::filesystem::path& file) {
    return test::FileSizeLimit(std::filesystem::file_size(file) + 10);
}

} // namespace

TEST_CASE("the last cleanup that was registered is the first, and stays until it has finished") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    CHECK_FALSE(stack.top().has_value());
    stack.push(command("first"));
    stack.push({.kind = Kind::remove, .text = "second"});
    const auto top = stack.top();
    REQUIRE(top.has_value());
    CHECK(top->text == "second");
    CHECK(stack.top()->text == "second");
    stack.finished(*top, {});
    CHECK(stack.top()->text == "first");
}

TEST_CASE("a cleanup that another process registers while one runs is next") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    stack.push(command("running"));
    const auto running = stack.top();
    REQUIRE(running.has_value());
    defer(stack, "late");
    stack.finished(*running, {});
    CHECK(stack.top()->text == "late");
    stack.finished(*stack.top(), {});
    CHECK_FALSE(stack.top().has_value());
}

TEST_CASE("an empty stack is closed, and its journal is gone") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    stack.push(command("only"));
    stack.finished(*stack.top(), {});
    CHECK(stack.close());
    CHECK_FALSE(std::filesystem::exists(stack.file().path()));
}

TEST_CASE("what is registered at the last moment keeps the run open and its journal unsealed") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    REQUIRE_FALSE(stack.top().has_value());
    defer(stack, "at the last moment");
    CHECK_FALSE(stack.close());
    CHECK_FALSE(stack.file().is_sealed_or_removed());
    CHECK(stack.top()->text == "at the last moment");
    stack.finished(*stack.top(), {});
    CHECK(stack.close());
}

TEST_CASE("a run that is dropped ends with cleanups on its stack") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    stack.push(command("never"));
    CHECK(stack.close(true));
    CHECK_FALSE(std::filesystem::exists(stack.file().path()));
}

TEST_CASE("what has failed stays also if the rest of a run is dropped") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    stack.push(command("fails"));
    stack.finished(*stack.top(), {.exit_code = 7, .error = "exit status 7"});
    stack.push(command("never"));
    CHECK(stack.close(true));
    CHECK(std::filesystem::exists(stack.file().path()));
    CHECK(stack.read_state().has_failed());
}

TEST_CASE("that a run is clean is told while its journal is there and nothing can be registered any more") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    int told = 0;
    stack.on_clean([&] {
        ++told;
        CHECK(std::filesystem::exists(stack.file().path()));
        CHECK(stack.file().is_sealed_or_removed());
    });
    stack.push(command("only"));
    CHECK_FALSE(stack.close());
    CHECK(told == 0);
    stack.finished(*stack.top(), {});
    CHECK(stack.close());
    CHECK(told == 1);
}

TEST_CASE("a run of which a cleanup failed is not told of as clean whether that is kept, given up or dropped") {
    const cleanup::Outcome failure{.exit_code = 7, .error = "exit status 7"};
    for (const bool given_up : {false, true}) {
        for (const bool dropped : {false, true}) {
            CAPTURE(given_up);
            CAPTURE(dropped);
            const test::TempDir dir;
            auto stack = test::sample_stack(dir.path());
            stack.on_clean([] { FAIL_CHECK("it is told"); });
            stack.push(command("fails"));
            const auto top = stack.top();
            if (given_up)
                stack.record(journal::CleanupEnded{top->id, failure.error});
            else
                stack.finished(*top, failure);
            CHECK(stack.close(dropped));
        }
    }
}

TEST_CASE("on a full disk nothing is registered before the first step") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    const auto full = full_disk(stack.file().path());
    CHECK_THROWS_AS(stack.push(command("refused")), std::system_error);
    CHECK_FALSE(stack.top().has_value());
}

TEST_CASE("on a disk that fills up later a cleanup is registered all the same, runs once, and the trouble is told") {
    const test::TempDir dir;
    std::vector<std::string> troubles;
    auto stack = test::sample_stack(dir.path(), &troubles);
    stack.push(command("recorded"));
    stack.record(journal::Started{journal::Started::What::setup, {1, 1}, 0});
    const auto full = full_disk(stack.file().path());
    unsigned told = 0;
    stack.on_unrecorded([&] { ++told; });
    stack.push(command("not recorded"));
    CHECK(told == 1);
    CHECK(stack.top()->text == "not recorded");
    stack.finished(*stack.top(), {});
    CHECK(stack.top()->text == "recorded");
    stack.finished(*stack.top(), {});
    CHECK_FALSE(stack.top().has_value());
    CHECK(stack.close());
    REQUIRE_FALSE(troubles.empty());
    CHECK(troubles.front() ==
          "a cleanup cannot be recorded, and is lost if finally-run and its guardian are killed: No "
          "space left on device");
}

TEST_CASE("the child of a spawn records itself") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    CHECK_FALSE(stack.read_state().begun);
    stack.in_child(journal::Started::What::command)();
    CHECK(stack.read_state().begun);
    REQUIRE(stack.read_state().step.has_value());
    CHECK(stack.read_state().step->process.pid == ::getpid());
    stack.record(journal::Ended{{plan::Result::failure, 3, 0}});
    CHECK_FALSE(stack.read_state().step.has_value());
}

TEST_CASE("around damage all cleanups are on the stack, the journal stays, and why is told") {
    const test::TempDir dir;
    std::vector<std::string> troubles;
    auto stack = test::sample_stack(dir.path(), &troubles);
    stack.push(command("ours"));
    CHECK(stack.is_complete());
    defer(stack, "before");
    std::ofstream(stack.file().path(), std::ios::app) << "garbage\n";
    defer(stack, "behind");
    for (const std::string text : {"behind", "before", "ours"}) {
        const auto top = stack.top();
        REQUIRE(top.has_value());
        CHECK(top->text == text);
        stack.finished(*top, {});
    }
    CHECK_FALSE(stack.top().has_value());
    CHECK_FALSE(stack.is_complete());
    REQUIRE_FALSE(troubles.empty());
    CHECK(troubles.front().starts_with("cannot be read to its end, cleanups may be missing: damaged at byte "));
    CHECK(stack.close());
    CHECK(std::filesystem::exists(stack.file().path()));
    CHECK(troubles.back() == "stays: finally-run --status shows the run, --forget drops it: "
                             "it could not be read to its end");
}

TEST_CASE("a damaged journal stays also if the run is to be dropped") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    std::ofstream(stack.file().path(), std::ios::app) << "garbage\n";
    CHECK(stack.close(true));
    CHECK(std::filesystem::exists(stack.file().path()));
}

TEST_CASE("what was registered is known, and finishes once, when the journal has been cut") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    stack.push(command("first"));
    stack.push(command("second"));
    CHECK(stack.top()->text == "second");
    stack.push(command("not read yet"));
    std::filesystem::resize_file(stack.file().path(), 0);
    for (const std::string text : {"not read yet", "second", "first"}) {
        const auto top = stack.top();
        REQUIRE(top.has_value());
        CHECK(top->text == text);
        stack.finished(*top, {});
    }
    CHECK_FALSE(stack.top().has_value());
    CHECK(stack.close());
    CHECK(std::filesystem::exists(stack.file().path()));
}

TEST_CASE("who cannot read the journal knows what it has registered, and leaves the rest and the journal") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    test::Forked blind([&] {
        test::refuse_system_call(SYS_pread64, EIO);
        stack.push(command("ours"));
        defer(stack, "theirs");
        stack.push(command("ours too"));
        test::expect(stack.top()->text == "ours too", "the last is not first");
        stack.finished(*stack.top(), {});
        test::expect(stack.top()->text == "ours", "what has finished is not gone");
        stack.finished(*stack.top(), {});
        test::expect(!stack.top().has_value(), "there is more than we know");
        test::expect(stack.close(), "it is not closed");
    });
    CHECK(blind.succeeded());
    CHECK_FALSE(stack.read_state().over);
    CHECK(stack.is_complete());
    const auto top = stack.top();
    REQUIRE(top.has_value());
    CHECK(top->text == "theirs");
    stack.finished(*top, {});
    CHECK_FALSE(stack.top().has_value());
}
