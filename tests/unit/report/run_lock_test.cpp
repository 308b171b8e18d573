// What is told of the locks of a run that are at an engine.
#include "report/run_lock.hpp"

#include <doctest/doctest.h>

namespace finally_run {

using report::RunLock;

namespace {

journal::State state_with(const std::string& name, const std::string& token) {
    journal::State state;
    state.engine_locks.push_back({{.name = name, .token = token, .time = 60}});
    return state;
}

} // namespace

TEST_CASE("a lock at an engine goes by the name that was asked for and has its token and its time") {
    std::vector<RunLock> locks{{"l"}, {"etcd:a%2Fb"}};
    report::add_engines(locks, state_with("etcd:a/b", "7"), true);
    CHECK_FALSE(locks.at(0).at_engine);
    CHECK(locks.at(1).name == "etcd:a/b");
    REQUIRE(locks.at(1).at_engine);
    CHECK(locks.at(1).at_engine->token == "7");
    CHECK(locks.at(1).at_engine->since.time_since_epoch() == std::chrono::minutes(1));
    CHECK(report::name_of(locks.at(1).at_engine->state) == "held");
}

TEST_CASE("a lock at an engine is lost if that is written or if everybody of an unfinished run is gone") {
    const auto state_of = [](const journal::State& state, bool alive) {
        std::vector<RunLock> locks{{"/state/etcd:x"}};
        report::add_engines(locks, state, alive);
        return std::string(report::name_of(locks.at(0).at_engine->state));
    };
    auto state = state_with("etcd:x", "");
    CHECK(state_of(state, true) == "held");
    CHECK(state_of(state, false) == "lost");
    state.over = true; // what is left has failed
    CHECK(state_of(state, false) == "released");
    state.engine_locks.at(0).lost = true;
    CHECK(state_of(state, false) == "lost");
    CHECK(state_of(state, true) == "lost");
}

TEST_CASE("a loss is noted of the lock that was lost alone") {
    std::vector<RunLock> locks{{"a"}, {"etcd:x"}, {"etcd:y"}};
    report::add_engines(locks, {{"etcd:x", "1", ""}, {"etcd:y", "2", ""}}, {});
    report::note_loss(locks, "etcd:y");
    CHECK_FALSE(locks.at(0).at_engine);
    CHECK(report::name_of(locks.at(1).at_engine->state) == "held");
    CHECK(report::name_of(locks.at(2).at_engine->state) == "lost");
}

} // namespace finally_run
