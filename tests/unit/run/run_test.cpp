#include "run/environment.hpp"
#include "run/finish.hpp"
#include "run/watch.hpp"

#include <algorithm>
#include <csignal>
#include <doctest/doctest.h>
#include <string>
#include <string_view>
#include <vector>

using namespace finally_run;

namespace {

std::vector<std::string_view> entries(const run::Environment& environment) {
    std::vector<std::string_view> found;
    for (const char* const* entry = environment.block(); *entry != nullptr; ++entry)
        found.emplace_back(*entry);
    return found;
}

} // namespace

TEST_CASE("a variable that is set replaces every entry of its name and leaves the others as they are") {
    std::string strings[] = {"A=1", "AB=2", "A=3", "no-equals-sign", "=odd"};
    char* block[] = {strings[0].data(), strings[1].data(), strings[2].data(),
                     strings[3].data(), strings[4].data(), nullptr};
    run::Environment environment(block);
    environment.set("A", "x=y");
    CHECK(entries(environment) == std::vector<std::string_view>{"AB=2", "no-equals-sign", "=odd", "A=x=y"});
    environment.set("A", "");
    CHECK(entries(environment) == std::vector<std::string_view>{"AB=2", "no-equals-sign", "=odd", "A="});
}

TEST_CASE("the cleanups are told how the command ended") {
    char* block[] = {nullptr};
    run::Environment environment(block);
    environment.set_ending({plan::Result::stopped, 143, SIGTERM}, plan::Actor::supervisor);
    CHECK(entries(environment) == std::vector<std::string_view>{"FINALLY_RUN_RESULT=stopped",
                                                                "FINALLY_RUN_EXIT_CODE=143", "FINALLY_RUN_SIGNAL=TERM",
                                                                "FINALLY_RUN_BY=supervisor"});
    environment.set_ending({plan::Result::success, 0, 0}, plan::Actor::supervisor);
    CHECK(entries(environment)[2] == "FINALLY_RUN_SIGNAL=");
}

TEST_CASE("run ids have a time, are unlike each other and are fit for a file name") {
    const std::string id = run::new_run_id();
    CHECK(id.size() == std::string_view("20260131T235959-5f3a9c2e").size());
    CHECK(id.starts_with("20"));
    CHECK(id.find_first_not_of("0123456789abcdefT-") == std::string::npos);
    CHECK(id != run::new_run_id());
}

TEST_CASE("a failed cleanup turns a success into 120 and spoils nothing else") {
    CHECK(run::Finish{0, 0}.with_failed_cleanup().status == 120);
    CHECK(run::Finish{3, 0}.with_failed_cleanup().status == 3);
    CHECK(run::Finish{143, SIGTERM}.with_failed_cleanup().signal == SIGTERM);
}

TEST_CASE("the caller is watched in CI and in ssh without a terminal, unless HUP was ignored") {
    using plan::StopWithCaller;
    const auto watched = [](StopWithCaller wish, bool ci, bool ssh, bool nohup) {
        return run::what_to_watch(wish, run::Surroundings{.ci = ci, .ssh_no_terminal = ssh, .hangup_ignored = nohup});
    };
    CHECK_FALSE(watched(StopWithCaller::automatic, false, false, false).caller);
    CHECK(watched(StopWithCaller::automatic, true, false, false).caller);
    CHECK_FALSE(watched(StopWithCaller::automatic, true, false, false).stdout_reader);
    CHECK(watched(StopWithCaller::automatic, false, true, false).caller);
    CHECK(watched(StopWithCaller::automatic, false, true, false).stdout_reader);
    CHECK_FALSE(watched(StopWithCaller::automatic, true, true, true).caller);
    CHECK(watched(StopWithCaller::always, false, false, true).caller);
    CHECK_FALSE(watched(StopWithCaller::never, true, true, false).caller);
}
