#include "journal/origin.hpp"

#include "os/boot.hpp"
#include "sample_stack.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

using namespace finally_run;
using journal::Pids;

namespace {

constexpr const char* another_boot = "00000000-0000-4000-8000-000000000000";
constexpr const char* another_machine = "00000000000000000000000000000000";

} // namespace

TEST_CASE("a run of this boot and these namespaces is of this host, and its pids mean the same") {
    const journal::Origin origin = journal::origin_of(test::first_record());
    CHECK(origin.same_host);
    CHECK(origin.same_boot);
    CHECK(origin.pids == Pids::same);
    CHECK_FALSE(origin.may_live);
}

TEST_CASE("another machine id is another host, whatever else is the same") {
    auto opened = test::first_record();
    opened.host->machine_id = os::machine_id().empty() ? "" : another_machine;
    opened.host->name = os::machine_id().empty() ? "another-name" : opened.host->name;
    const journal::Origin origin = journal::origin_of(opened);
    CHECK_FALSE(origin.same_host);
    CHECK(origin.pids == Pids::others);
    CHECK(origin.may_live);
}

TEST_CASE("a host without an id is known by its name, and only until it is booted again") {
    auto opened = test::first_record();
    opened.host->machine_id.clear();
    CHECK(journal::origin_of(opened).same_host);
    opened.host->name = "another-name";
    CHECK_FALSE(journal::origin_of(opened).same_host);
    opened = test::first_record();
    opened.host->machine_id.clear();
    for (const char* boot : {another_boot, ""}) {
        opened.boot_id = boot;
        CHECK_FALSE(journal::origin_of(opened).same_host);
    }
}

TEST_CASE("a journal that names no host is of this one if it is of this boot") {
    auto opened = test::first_record();
    opened.host.reset();
    CHECK(journal::origin_of(opened).same_host);
    CHECK(journal::origin_of(opened).pids == Pids::same_if_start_fits);
    opened.boot_id = another_boot;
    CHECK_FALSE(journal::origin_of(opened).same_host);
}

TEST_CASE("an unknown boot is not this one, and a pid of it means somebody only if the start fits") {
    auto opened = test::first_record();
    opened.boot_id.clear();
    const journal::Origin origin = journal::origin_of(opened);
    CHECK_FALSE(origin.same_boot);
    CHECK(origin.pids != Pids::same);
    const std::uint64_t now = os::boot_nanoseconds();
    CHECK_FALSE(journal::can_be_told(Pids::same_if_start_fits, {1, now}));
    CHECK_FALSE(journal::can_be_told(Pids::same_if_start_fits, {::getpid(), now + 1'000'000'000}));
    CHECK(journal::can_be_told(Pids::same, {1, now}));
    CHECK_FALSE(journal::can_be_told(Pids::others, {1, now}));
}

TEST_CASE("a pid of another boot, pid namespace or time namespace means nobody") {
    auto opened = test::first_record();
    opened.boot_id = another_boot;
    CHECK(journal::origin_of(opened).pids == Pids::others);
    opened = test::first_record();
    ++opened.pid_namespace;
    CHECK(journal::origin_of(opened).pids == Pids::others);
    opened.pid_namespace = 0;
    CHECK(journal::origin_of(opened).pids == Pids::others);
    opened = test::first_record();
    ++opened.host->time_namespace;
    CHECK(journal::origin_of(opened).pids == Pids::others);
    CHECK(journal::origin_of(opened).may_live);
}
