// The words that `ps` shows of a keeper, and what --status reads from them.
#include "engine/keeper.hpp"

#include <doctest/doctest.h>

namespace finally_run {

using engine::Keeper;

TEST_CASE("the title of a keeper that waits tells for whom it waits for what and who holds it") {
    const std::string title = Keeper::waiting_title("id", 17, "etcd:deploy", "host a, pid 18: make, held by nobody");
    CHECK(title == "finally-keeper: of run id, pid 17, waits for etcd:deploy, held by host a, pid 18: make, held by "
                   "nobody");
    const auto awaited = Keeper::awaited_by(17, title);
    REQUIRE(awaited);
    CHECK(awaited->name == "etcd:deploy");
    CHECK(awaited->holder == "host a, pid 18: make, held by nobody");
}

TEST_CASE("the title of a keeper of somebody else or of one that does not wait tells nothing") {
    const std::string title = Keeper::waiting_title("id", 17, "etcd:deploy", "host a, pid 18, waits for x");
    CHECK_FALSE(Keeper::awaited_by(18, title));
    CHECK_FALSE(Keeper::awaited_by(1, title));
    CHECK_FALSE(Keeper::awaited_by(17, "finally-keeper: of run id"));
    CHECK_FALSE(Keeper::awaited_by(17, "echo, pid 17, waits for etcd:deploy"));
    CHECK_FALSE(Keeper::awaited_by(17, ""));
}

TEST_CASE("the title of a keeper that was cut tells as much as is left") {
    const auto awaited = Keeper::awaited_by(17, "finally-keeper: of run id, pid 17, waits for etcd:deploy");
    REQUIRE(awaited);
    CHECK(awaited->name == "etcd:deploy");
    CHECK(awaited->holder == "");
}

} // namespace finally_run
