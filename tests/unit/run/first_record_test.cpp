#include "run/first_record.hpp"

#include "os/boot.hpp"
#include "os/place.hpp"
#include "rescue/leftovers.hpp"
#include "support/temp_dir.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <doctest/doctest.h>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

using namespace finally_run;

namespace {

using Strings = std::vector<std::string>;

// Words or variables as main gets them.
class Block {
public:
    Block(std::initializer_list<std::string> strings) : m_strings(strings) {
        for (std::string& text : m_strings) {
            m_pointers.push_back(text.data());
        }
        m_pointers.push_back(nullptr);
    }
    [[nodiscard]] char* const* data() const { return m_pointers.data(); }
    [[nodiscard]] std::span<char* const> words() const { return {m_pointers.data(), m_strings.size()}; }

private:
    Strings m_strings;
    std::vector<char*> m_pointers;
};

journal::Opened record(const plan::Plan& plan = {}, const Block& environment = {}, const lock::Held& locks = {}) {
    auto opened = run::first_record(plan, "20260101T000000-00000001", false, environment.data());
    CHECK(opened.started == 0); // that is when the locks are had
    run::begin(opened, locks);
    return opened;
}

std::string command_of(const Block& command) {
    plan::Plan plan;
    plan.command = command.words();
    return record(plan).command;
}

} // namespace

TEST_CASE("a run writes down who and where it is") {
    const auto seconds = std::time(nullptr);
    const auto before = os::boot_nanoseconds();
    const journal::Opened opened = record();
    CHECK(opened.version == journal::format_version);
    CHECK(opened.run_id == "20260101T000000-00000001");
    CHECK(opened.boot_id == os::boot_id());
    CHECK(opened.pid_namespace == os::pid_namespace());
    CHECK(opened.supervisor.pid == ::getpid());
    CHECK(opened.supervisor.boot_nanoseconds >= before);
    CHECK(opened.supervisor.boot_nanoseconds <= os::boot_nanoseconds());
    CHECK(opened.started >= seconds);
    CHECK(opened.started <= std::time(nullptr));
    CHECK(opened.session == ::getsid(0));
    CHECK((opened.place == os::current_place()));
    CHECK_FALSE(opened.own_group);
    CHECK(run::first_record({}, "x", true, Block{}.data()).own_group);
}

TEST_CASE("a run writes down its umask, which stays") {
    const mode_t before = ::umask(0137);
    CHECK(record().mask == 0137);
    CHECK(::umask(before) == 0137);
}

TEST_CASE("a run that starts in a deleted directory writes down no path") {
    const test::TempDir dir;
    const auto before = std::filesystem::current_path();
    std::filesystem::create_directory(dir / "deleted");
    std::filesystem::current_path(dir / "deleted");
    std::filesystem::remove(dir / "deleted");
    const journal::Opened opened = record();
    std::filesystem::current_path(before);
    CHECK(opened.place.path.empty());
}

TEST_CASE("a command is summed up by its words, and cut if it is long") {
    CHECK(command_of({"make", "-j4", "a b", ""}) == "make -j4 a b ");
    const std::string fits(500, 'x');
    CHECK(command_of({fits}) == fits);
    CHECK(command_of({fits + "y"}).starts_with(fits + "... #"));
    CHECK(command_of({std::string(499, 'x'), "more"}).starts_with(std::string(499, 'x') + " ... #"));
    CHECK(command_of({"sh", "-c", std::string(100'000, 'x'), "end"})
              .starts_with("sh -c " + std::string(494, 'x') + "... #"));
}

TEST_CASE("long commands that differ only in their end are summed up differently") {
    const std::string same(600, 'x');
    CHECK(command_of({same, "a"}) == command_of({same, "a"}));
    CHECK(command_of({same, "a"}) != command_of({same, "b"}));
    CHECK(command_of({same, "a", "b"}) != command_of({same, "a b"}));
}

TEST_CASE("a run writes down the limits that finishing it needs, and gets them back") {
    using namespace std::chrono_literals;
    plan::Plan plan;
    plan.stop_signal = SIGINT;
    plan.grace = 3s;
    plan.cleanup_timeout = 4s;
    plan.cleanup_retries = 5;
    const journal::Opened opened = record(plan);
    const plan::Plan again = rescue::plan_of(opened, plan::Verbosity::quiet);
    CHECK(again.stop_signal == SIGINT);
    CHECK(again.grace == text::Limit(3s));
    CHECK(again.cleanup_timeout == text::Limit(4s));
    CHECK(again.cleanup_retries == 5);
    CHECK(again.verbosity == plan::Verbosity::quiet);
    plan.grace = std::nullopt;
    plan.cleanup_timeout = std::nullopt;
    const plan::Plan unlimited = rescue::plan_of(record(plan), plan::Verbosity::normal);
    CHECK_FALSE(unlimited.grace.has_value());
    CHECK_FALSE(unlimited.cleanup_timeout.has_value());
}

TEST_CASE("a run writes down the CI job and the run that it is part of") {
    for (const char* const name : {"CI_JOB_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "BUILD_URL",
                                   "GITHUB_SERVER_URL", "GITHUB_RUN_ID", "FINALLY_RUN_JOURNAL"}) {
        ::unsetenv(name);
    }
    CHECK(record().job_url.empty());
    CHECK(record().outer.empty());
    ::setenv("CI_JOB_URL", "https://ci/1", 1);
    ::setenv("FINALLY_RUN_JOURNAL", "/outer.journal", 1);
    CHECK(record().job_url == "https://ci/1");
    CHECK(record().outer == "/outer.journal");
    ::unsetenv("FINALLY_RUN_JOURNAL");
}

TEST_CASE("a run writes down its locks so that they are found from anywhere") {
    const test::TempDir dir;
    const auto before = std::filesystem::current_path();
    std::filesystem::create_directory(dir / "sub");
    std::filesystem::current_path(dir.path());
    lock::Held locks;
    locks.push_back(lock::open_lock_file({"./sub/../relative", false}, {}));
    locks.push_back(lock::open_lock_file({"name", true}, dir / "state"));
    const journal::Opened opened = record({}, {}, locks);
    std::filesystem::current_path(before);
    struct stat info = {};
    REQUIRE(::stat((dir / "relative").c_str(), &info) == 0);
    REQUIRE(opened.locks.size() == 2);
    CHECK((opened.locks[0] == journal::LockId{dir / "relative", info.st_dev, info.st_ino, false}));
    CHECK(opened.locks[1].path == dir / "state/name");
    CHECK(opened.locks[1].shared);
}
