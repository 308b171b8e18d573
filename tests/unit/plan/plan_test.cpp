#include "plan/plan.hpp"

#include <doctest/doctest.h>

using namespace finally_run;

TEST_CASE("a name with a colon before any slash is a lock at an engine") {
    const plan::LockRequest lock{"ssh:host/name"};
    CHECK(lock.is_at_engine());
    CHECK_FALSE(lock.is_path());
    CHECK(lock.engine() == "ssh");
    CHECK(lock.name_there() == "host/name");
    for (const char* const path : {"./etcd:deploy", "/a:b", "a/b:c"}) {
        CHECK(plan::LockRequest{path}.is_path());
        CHECK_FALSE(plan::LockRequest{path}.is_at_engine());
    }
    CHECK_FALSE(plan::LockRequest{"deploy"}.is_at_engine());
    CHECK_FALSE(plan::LockRequest{"deploy"}.is_path());
}

TEST_CASE("the local lock of one at an engine is a file in the state directory and no two names share it") {
    CHECK(plan::LockRequest{"etcd:deploy"}.file_name() == "etcd:deploy");
    CHECK(plan::LockRequest{"ssh:host/../x"}.file_name() == "ssh:host%2F..%2Fx");
    CHECK(plan::LockRequest{"ssh:host%2Fx"}.file_name() == "ssh:host%252Fx");
    CHECK(plan::LockRequest{"a%b"}.file_name() == "a%b");
}
