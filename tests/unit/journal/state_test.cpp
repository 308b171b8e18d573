#include "journal/state.hpp"

#include "samples.hpp"

#include <cstdint>
#include <doctest/doctest.h>
#include <string>
#include <utility>
#include <vector>

namespace finally_run::journal {

namespace {

using Kind = plan::Cleanup::Kind;
using What = Started::What;

// A state to which records are applied one by one, at offsets that grow.
struct Life {
    State state;
    std::uint64_t next = 100;

    std::uint64_t add(Record record) {
        const std::uint64_t offset = std::exchange(next, next + 100);
        state.apply(Entry{offset, std::move(record)});
        return offset;
    }
    std::uint64_t add_cleanup(const std::string& text) {
        return add(Registered{{.kind = Kind::command, .text = text}});
    }
    [[nodiscard]] std::vector<std::string> texts() const {
        std::vector<std::string> found;
        for (const plan::Cleanup& cleanup : state.stack) {
            found.push_back(cleanup.text);
        }
        return found;
    }
};

using Texts = std::vector<std::string>;

} // namespace

TEST_SUITE("journal/state") {
    TEST_CASE("the first record says of which run the journal is") {
        Life life;
        life.add(opened_with("x"));
        CHECK(life.state.opened == opened_with("x"));
        CHECK_FALSE(life.state.begun);
        CHECK_FALSE(life.state.over);
    }

    TEST_CASE("a service has begun something is no step and is known until its stop has succeeded") {
        Life life;
        const auto stop = life.add(Registered{{.kind = Kind::service, .text = "server"}});
        CHECK_FALSE(life.state.begun);
        const Started started{What::service, {7, 8}, stop};
        life.add(started);
        CHECK(life.state.begun);
        CHECK_FALSE(life.state.step);
        CHECK_FALSE(life.state.cleaning);
        CHECK(life.state.services == std::vector<Started>{started});
        CHECK(life.texts() == Texts{"server"});
        life.add(CleanupFailed{stop, std::nullopt, 0, 1, 0, "why"});
        CHECK(life.state.services.size() == 1);
        life.add(CleanupEnded{stop, ""});
        CHECK(life.state.services.empty());
        CHECK(life.texts().empty());
    }

    TEST_CASE("what is registered is on the stack, the last one on top, with its offset as its id") {
        Life life;
        plan::Cleanup cleanup{.kind = Kind::on_failure, .text = "first", .place = plan::Place{"/d", 1, 2, 3}, .id = 7};
        const auto first = life.add(Registered{cleanup});
        const auto second = life.add_cleanup("second");
        cleanup.id = first;
        REQUIRE(life.texts() == Texts{"first", "second"});
        CHECK(life.state.stack[0] == cleanup);
        CHECK(life.state.stack[1].id == second);
    }

    TEST_CASE("a run has begun with its first setup, command, temporary directory or cleanup that started") {
        Life life;
        life.add_cleanup("registered");
        life.add(Registered{{.kind = Kind::remove, .text = "/path"}});
        CHECK_FALSE(life.state.begun);
        for (const Record& record :
             {Record(Started{What::cleanup, {5, 6}, 100}), Record(Started{What::setup, {5, 6}, 0}),
              Record(Started{What::command, {5, 6}, 0}),
              Record(Registered{{.kind = Kind::temp_dir, .text = "/tmp/x", .variable = "DIR"}})}) {
            CAPTURE(record.index());
            Life other;
            other.add(record);
            CHECK(other.state.begun);
        }
    }

    TEST_CASE("the temporary directories that exist are the values of their variables, in their order") {
        Life life;
        life.add(Registered{{.kind = Kind::temp_dir, .text = "/tmp/b", .variable = "B"}});
        life.add(Registered{{.kind = Kind::command, .text = "true", .variable = "NOT"}});
        life.add(Registered{{.kind = Kind::temp_dir, .text = "/tmp/a", .variable = "A"}});
        CHECK(life.state.variables() ==
              std::vector<std::pair<std::string, std::string>>{{"B", "/tmp/b"}, {"A", "/tmp/a"}});
    }

    TEST_CASE("a setup or command is the step from its start to its end") {
        Life life;
        const Started setup{What::setup, {5, 6}, 0};
        life.add(setup);
        CHECK(life.state.step == setup);
        life.add(SetupEnded{});
        CHECK_FALSE(life.state.step.has_value());
        CHECK_FALSE(life.state.ending.has_value());
        const Started command{What::command, {7, 8}, 0};
        life.add(command);
        CHECK(life.state.step == command);
        life.add(Ended{{plan::Result::signal, 130, 2}});
        CHECK_FALSE(life.state.step.has_value());
        CHECK(life.state.ending == plan::Ending{plan::Result::signal, 130, 2});
        CHECK(life.state.begun);
    }

    TEST_CASE("a cleanup runs from its start to its finish, and then is off the stack") {
        Life life;
        const auto first = life.add_cleanup("first");
        const auto second = life.add_cleanup("second");
        life.add(Started{What::cleanup, {5, 6}, second});
        REQUIRE(life.state.cleaning.has_value());
        CHECK(life.state.cleaning->cleanup == second);
        CHECK_FALSE(life.state.step.has_value());
        CHECK(life.texts() == Texts{"first", "second"});
        life.add(CleanupEnded{second, "exit status 1"});
        CHECK_FALSE(life.state.cleaning.has_value());
        CHECK(life.texts() == Texts{"first"});
        life.add(CleanupEnded{first, ""});
        CHECK(life.texts().empty());
    }

    TEST_CASE("the start of another attempt takes the place of the one before") {
        Life life;
        const auto id = life.add_cleanup("again");
        life.add(Started{What::cleanup, {5, 6}, id});
        life.add(Started{What::cleanup, {7, 8}, id});
        REQUIRE(life.state.cleaning.has_value());
        CHECK(life.state.cleaning->process == ProcessId{7, 8});
    }

    TEST_CASE("the finish of a cleanup that is not on top takes away that one alone") {
        Life life;
        life.add_cleanup("bottom");
        const auto running = life.add_cleanup("running");
        life.add(Started{What::cleanup, {5, 6}, running});
        life.add_cleanup("deferred meanwhile");
        life.add(CleanupEnded{running, ""});
        CHECK(life.texts() == Texts{"bottom", "deferred meanwhile"});
        CHECK_FALSE(life.state.cleaning.has_value());
    }

    TEST_CASE("the finish of another cleanup, or of one that is unknown, ends nothing that runs") {
        Life life;
        const auto first = life.add_cleanup("first");
        const auto second = life.add_cleanup("second");
        life.add(Started{What::cleanup, {5, 6}, second});
        life.add(HandedOver{});
        life.add(CleanupEnded{first, ""});
        life.add(CleanupEnded{12345, ""});
        CHECK(life.state.cleaning.has_value());
        CHECK(life.state.handed_over);
        CHECK(life.texts() == Texts{"second"});
    }

    TEST_CASE("what was handed over is so until that cleanup has finished") {
        Life life;
        const auto id = life.add_cleanup("slow");
        life.add(Started{What::cleanup, {5, 6}, id});
        CHECK_FALSE(life.state.handed_over);
        life.add(HandedOver{});
        CHECK(life.state.handed_over);
        life.add(CleanupEnded{id, ""});
        CHECK_FALSE(life.state.handed_over);
    }

    TEST_CASE("a lock at an engine is held until its loss is written and the run is remembered for that") {
        Life life;
        life.add(HeldAtEngine{"etcd:x", "42", 1, false});
        life.add(HeldAtEngine{"etcd:y", "", 1, true});
        life.add(Started{Started::What::command, {1, 1}, 0});
        CHECK_FALSE(life.state.is_to_be_remembered());
        life.add(LockLost{"etcd:y", "", 2});
        CHECK_FALSE(life.state.engine_locks.at(0).lost);
        CHECK(life.state.engine_locks.at(0).held.token == "42");
        CHECK(life.state.engine_locks.at(1).lost);
        CHECK(life.state.is_to_be_remembered());
    }

    TEST_CASE("the last who took over counts") {
        Life life;
        CHECK_FALSE(life.state.taken_over.has_value());
        life.add(TakenOver{plan::Actor::guardian, {5, 6}});
        life.add(TakenOver{plan::Actor::recovery, {7, 8}});
        CHECK(life.state.taken_over == TakenOver{plan::Actor::recovery, {7, 8}});
    }

    TEST_CASE("a run whose stack is empty is over when its end is written, and stays over") {
        Life life;
        const auto id = life.add_cleanup("only");
        life.add(CleanupEnded{id, ""});
        life.add(Over{});
        CHECK(life.state.over);
        life.add(Over{});
        CHECK(life.state.over);
    }

    TEST_CASE("the end of a run is void if somebody registered before it, until that has finished too") {
        Life life;
        const auto id = life.add_cleanup("at the last moment");
        life.add(Over{});
        CHECK_FALSE(life.state.over);
        const auto later = life.add_cleanup("behind the void end");
        CHECK(life.texts() == Texts{"at the last moment", "behind the void end"});
        life.add(CleanupEnded{later, ""});
        life.add(CleanupEnded{id, ""});
        CHECK_FALSE(life.state.over);
        life.add(Over{});
        CHECK(life.state.over);
    }

    TEST_CASE("the end of a run that was dropped counts, whatever was on the stack") {
        Life life;
        life.add_cleanup("never");
        life.add(Over{true});
        CHECK(life.state.over);
        CHECK(life.texts().empty());
    }

    TEST_CASE("what is registered after the end does not count") {
        Life life;
        life.add(Over{});
        life.add_cleanup("too late");
        life.add(Registered{{.kind = Kind::temp_dir, .text = "/tmp/x", .variable = "DIR"}});
        CHECK(life.texts().empty());
        CHECK(life.state.variables().empty());
        CHECK_FALSE(life.state.begun);
        CHECK(life.state.over);
    }

    TEST_CASE(
        "a cleanup that has failed is off the stack and known as failed, with the last attempt, until it succeeds") {
        Life life;
        life.state.begun = true;
        life.add(Ended{});
        const auto first = life.add_cleanup("first");
        const auto second = life.add_cleanup("second");
        life.add(Started{What::cleanup, {5, 6}, second});
        life.add(CleanupFailed{second, 7, 0, 2, 1000, "exit status 7"});
        CHECK_FALSE(life.state.cleaning.has_value());
        CHECK(life.texts() == Texts{"first"});
        REQUIRE(life.state.failures.size() == 1);
        CHECK(life.state.failures[0].cleanup.text == "second");
        CHECK(life.state.failures[0].how.attempts == 2);
        CHECK(life.state.failures[0].by == plan::Actor::supervisor);
        CHECK_FALSE(life.state.has_failed()); // there is more to do
        life.add(CleanupEnded{first, ""});
        life.add(Over{});
        CHECK(life.state.has_failed());
        CHECK(life.state.over);
        CHECK_FALSE(life.state.is_done());
        life.add(TakenOver{plan::Actor::recovery, {7, 8}});
        CHECK(life.texts() == Texts{"second"});
        CHECK_FALSE(life.state.over);
        life.add(CleanupFailed{second, std::nullopt, 9, 1, 2000, "killed"});
        REQUIRE(life.state.failures.size() == 1);
        CHECK(life.state.failures[0].how.time == 2000);
        CHECK(life.state.failures[0].by == plan::Actor::recovery);
        CHECK(life.state.has_failed());
        life.add(TakenOver{plan::Actor::next_holder, {9, 9}});
        life.add(CleanupEnded{second, ""});
        CHECK(life.state.failures.empty());
        life.add(Over{});
        CHECK(life.state.is_done());
    }

    TEST_CASE("a cleanup that has begun is known as asked to end until it has failed and not when it is tried later") {
        Life life;
        life.state.begun = true;
        const auto below = life.add_cleanup("below");
        const auto id = life.add_cleanup("hangs");
        life.add(StopAsked{id}); // it has not begun
        CHECK_FALSE(life.state.stop_asked.has_value());
        life.add(Started{What::cleanup, {5, 6}, id});
        life.add(StopAsked{id});
        life.add(StopAsked{below});
        life.add(StopAsked{12345});
        CHECK(life.state.stop_asked == id);
        life.add(TakenOver{plan::Actor::guardian, {7, 8}});
        life.add(Started{What::cleanup, {9, 10}, id});
        CHECK(life.state.stop_asked == id);
        life.add(CleanupFailed{id, 143, 15, 1, 1000, "ended by --stop"});
        life.add(StopAsked{id}); // too late
        CHECK_FALSE(life.state.stop_asked.has_value());
        life.add(TakenOver{plan::Actor::recovery, {11, 12}});
        CHECK(life.texts() == Texts{"below", "hangs"});
        CHECK_FALSE(life.state.stop_asked.has_value());
    }

    TEST_CASE("the guardian goes on with the rest, whoever comes later tries again what failed, in the old order") {
        Life life;
        life.state.begun = true;
        life.add_cleanup("bottom");
        const auto middle = life.add_cleanup("middle");
        const auto top = life.add_cleanup("top");
        life.add(CleanupFailed{top, 1, 0, 1, 1, "x"});
        life.add(CleanupFailed{middle, 1, 0, 1, 1, "x"});
        life.add(TakenOver{plan::Actor::guardian, {5, 6}});
        CHECK(life.texts() == Texts{"bottom"});
        life.add(TakenOver{plan::Actor::recovery, {7, 8}});
        CHECK(life.texts() == Texts{"bottom", "middle", "top"});
        life.add(TakenOver{plan::Actor::recovery, {9, 9}});
        CHECK(life.texts() == Texts{"bottom", "middle", "top"});
    }

    TEST_CASE(
        "what is registered between the end of a failed run and the next try does not count, what comes later does") {
        Life life;
        const auto id = life.add_cleanup("fails");
        life.add(CleanupFailed{id, 1, 0, 1, 1, "x"});
        life.add(Over{});
        life.add_cleanup("too late");
        life.add(TakenOver{plan::Actor::recovery, {7, 8}});
        life.add_cleanup("in time");
        CHECK(life.texts() == Texts{"fails", "in time"});
    }

    TEST_CASE("what fails before the command is over has run for the last holder of a lock and counts as begun") {
        Life life;
        const auto id = life.add_cleanup("anywhere");
        life.add(CleanupFailed{id, {}, 0, 1, 1, "cannot be started"});
        CHECK(life.state.begun);
        CHECK(life.state.failures.at(0).by == plan::Actor::next_holder);
        life.add(TakenOver{plan::Actor::recovery, {5, 6}});
        life.add(CleanupFailed{id, 1, 0, 1, 2, "x"});
        CHECK(life.state.failures.at(0).by == plan::Actor::recovery);
    }

    TEST_CASE("a failure takes the place of the same one for the last holder of a lock and of no other") {
        Life life;
        const auto before = life.add_cleanup("same");
        const auto other = life.add_cleanup("other");
        life.add(CleanupFailed{other, 1, 0, 1, 1, "x"});
        life.add(CleanupFailed{before, 1, 0, 1, 1, "x"});
        const auto deferred =
            life.add(Registered{{.kind = Kind::command, .text = "other", .place = plan::Place{.path = "/"}}});
        const auto last = life.add_cleanup("same");
        const auto first = life.add_cleanup("same");
        life.add(Ended{});
        for (const auto id : {first, last, deferred}) {
            life.add(CleanupFailed{id, 1, 0, 1, 2, "x"});
        }
        std::vector<std::uint64_t> kept;
        for (const Failure& failure : life.state.failures) {
            kept.push_back(failure.cleanup.id);
        }
        CHECK(kept == std::vector{other, deferred, last, first});
    }

    TEST_CASE("what is dropped at the end of a run with failures is not tried again with them") {
        Life life;
        const auto id = life.add_cleanup("fails");
        life.add(CleanupFailed{id, 1, 0, 1, 1, "x"});
        life.add_cleanup("never");
        life.add(Over{true});
        CHECK(life.state.has_failed());
        life.add(TakenOver{plan::Actor::recovery, {7, 8}});
        CHECK(life.texts() == Texts{"fails"});
    }

    TEST_CASE("several records are applied in their order") {
        State state;
        state.apply({{10, Registered{{.kind = Kind::command, .text = "first"}}},
                     {20, Registered{{.kind = Kind::command, .text = "second"}}},
                     {30, CleanupEnded{20, ""}}});
        REQUIRE(state.stack.size() == 1);
        CHECK(state.stack[0].text == "first");
    }

    TEST_CASE("who has begun a cleanup and not finished it is counted, several attempts of one as one") {
        Life life;
        const auto id = life.add_cleanup("kills its parent");
        const auto begin = [&] { life.add(Started{What::cleanup, {1, 1}, id}); };
        CHECK(life.state.times_begun(id) == 0);
        begin();
        begin();
        CHECK(life.state.times_begun(id) == 1);
        life.add(TakenOver{plan::Actor::guardian, {2, 2}});
        CHECK(life.state.times_begun(id) == 1);
        begin();
        begin();
        CHECK(life.state.times_begun(id) == 2);
        life.add(TakenOver{plan::Actor::recovery, {3, 3}});
        life.add(TakenOver{plan::Actor::recovery, {4, 4}});
        begin();
        CHECK(life.state.times_begun(id) == 3);
        CHECK(life.state.times_begun(id + 1) == 0);
        life.add(CleanupEnded{id, "x"});
        CHECK(life.state.times_begun(id) == 0);
    }
}

} // namespace finally_run::journal
