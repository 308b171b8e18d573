// action/find_runs: ids, whole or shortened.
#include "action/find_runs.hpp"

#include <doctest/doctest.h>

using namespace finally_run;
using action::find_run;

namespace {

std::vector<journal::Item> runs(const std::vector<std::string>& ids) {
    std::vector<journal::Item> items;
    for (const std::string& id : ids) {
        items.push_back({id, {}, false});
    }
    return items;
}

std::string found(std::string_view word, const std::vector<std::string>& ids) {
    const auto match = find_run(word, runs(ids));
    if (const auto* const run = std::get_if<journal::Item>(&match)) {
        return run->id;
    }
    const auto* const ambiguous = std::get_if<action::Ambiguous>(&match);
    return ambiguous != nullptr ? "ambiguous: " + ambiguous->ids : "none";
}

} // namespace

TEST_SUITE("action/find_runs") {
    TEST_CASE("an id may be shortened to what no other begins with") {
        CHECK(found("20261", {"20260-a", "20261-b"}) == "20261-b");
        CHECK(found("20261-b", {"20260-a", "20261-b"}) == "20261-b");
        CHECK(found("2026", {"20260-a", "20261-b"}) == "ambiguous: 20260-a, 20261-b");
        CHECK(found("b", {"20260-a", "20261-b"}) == "none");
        CHECK(found("20261-bc", {"20260-a", "20261-b"}) == "none");
        CHECK(found("a", {}) == "none");
    }

    TEST_CASE("a whole id is that run, also if another begins with it") {
        CHECK(found("ab", {"abc", "ab", "abd"}) == "ab");
    }

    TEST_CASE("a run that is named twice is found once, and what is not found does not hide it") {
        report::Messages messages(plan::Verbosity::quiet, -1);
        const std::vector<std::string> words{"ab", "x", "abc"};
        const auto result = action::find_runs(words, runs({"abc", "b"}), messages);
        REQUIRE(result.runs.size() == 1);
        CHECK(result.runs[0].id == "abc");
        CHECK_FALSE(result.complete);
        CHECK(action::find_runs({}, runs({"a", "b"}), messages).runs.size() == 2);
    }
}
