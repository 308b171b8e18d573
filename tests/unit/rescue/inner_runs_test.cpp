#include "rescue/inner_runs.hpp"

#include "../sample_stack.hpp"
#include "journal/file.hpp"
#include "journal/runs.hpp"
#include "os/boot.hpp"
#include "os/process.hpp"
#include "support/forked.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <sys/prctl.h>
#include <unistd.h>

using namespace finally_run;

namespace {

constexpr const char* outer = "/outer.journal";
constexpr const char* stranger = "/stranger.journal";

journal::File journal_inside(const std::string& outer_journal, const std::filesystem::path& state,
                             const std::string& run_id, pid_t supervisor) {
    journal::Opened opened = test::first_record(run_id);
    opened.outer = outer_journal;
    opened.supervisor = {supervisor, os::boot_nanoseconds()};
    auto file = journal::File::create(journal::Runs(state), opened, false);
    file.publish();
    return file;
}

enum class Told { no, yes };

// Finishes a run inside `outer`, and looks at the same time at the journal of a run inside `stranger`, as it has to:
// for the one at work whose supervisor this was. Where somebody was told of the run first, as a keeper does.
class Guardian {
public:
    Guardian(const std::filesystem::path& state, const std::filesystem::path& others, pid_t supervisor,
             Told told = Told::no)
        : m_forked([&] {
              auto own = journal_inside(outer, state, "own", supervisor);
              if (told == Told::yes) {
                  test::expect(journal::Runs(state).mark_told("own", {}), "nobody was told of it");
                  const auto path = own.path();
                  own = journal::File::around(os::Fd(), path);
                  own = journal::File::open(path);
                  test::expect(own.try_lock(), "it is locked");
              }
              const auto other = journal::File::open(others);
              ::setsid();
              ::prctl(PR_SET_NAME, "finally-guard", 0, 0, 0);
              m_ready.open();
              ::pause();
          }) {
        m_ready.close_writer();
        CHECK(m_ready.pass());
    }

    [[nodiscard]] pid_t pid() const { return m_forked.pid(); }

private:
    test::Gate m_ready;
    test::Forked m_forked;
};

pid_t ended_child() {
    test::Forked process([] {});
    const pid_t pid = process.pid();
    CHECK(process.succeeded());
    return pid;
}

bool is_at_work_inside(const char* journal, pid_t guardian) {
    const auto found = rescue::guardians_at_work(journal);
    return std::ranges::find(found, guardian, &os::ProcessInfo::pid) != found.end();
}

} // namespace

TEST_CASE("a guardian is known by the journal that it holds and not by one that it looks at") {
    const test::TempDir dir;
    const pid_t dead = ended_child();
    const auto others = journal_inside(stranger, dir / "others", "other", dead);
    for (const Told told : {Told::no, Told::yes}) {
        const Guardian guardian(dir / (told == Told::yes ? "told" : "state"), others.path(), dead, told);
        const auto process = os::read_process(guardian.pid());
        REQUIRE(process);
        CHECK(rescue::is_guardian(*process));
        CHECK(is_at_work_inside(outer, guardian.pid()));
        CHECK_FALSE(is_at_work_inside(stranger, guardian.pid()));
    }
}

TEST_CASE("what was a guardian's child when we looked and has become a cleanup since is not signalled") {
    test::Gate begun;
    test::Gate go_on;
    const test::Forked child([&] {
        ::prctl(PR_SET_NAME, "finally-guard", 0, 0, 0);
        begun.open();
        static_cast<void>(go_on.pass());
        ::execl("/bin/sleep", "sleep", "1000", nullptr);
    });
    begun.close_writer();
    REQUIRE(begun.pass());
    const auto before = os::read_process(child.pid());
    REQUIRE(before);
    go_on.open();
    auto now = before;
    while (now && now->name != "sleep")
        now = os::read_process(child.pid());
    REQUIRE(now);
    CHECK(rescue::is_guardian(*before));
    CHECK_FALSE(rescue::is_guardian(*now));
}

TEST_CASE("what an inner run is about to start is left to that run until it is a program") {
    test::Gate begun;
    test::Gate go_on;
    const test::Forked supervisor([&] {
        const test::Forked child([&] {
            begun.open();
            static_cast<void>(go_on.pass());
            ::execl("/bin/sleep", "sleep", "1000", nullptr);
        });
        ::pause();
    });
    begun.close_writer();
    REQUIRE(begun.pass());
    const auto inner = os::read_process(supervisor.pid());
    REQUIRE(inner);
    const auto children = os::descendants(supervisor.pid());
    REQUIRE(children.size() == 1);
    CHECK_FALSE(rescue::is_spared(*inner, outer)); // it is told, and tells them
    CHECK(rescue::is_spared(children.front(), outer));
    go_on.open();
    auto now = os::read_process(children.front().pid);
    while (now && now->name != "sleep")
        now = os::read_process(children.front().pid);
    REQUIRE(now);
    CHECK_FALSE(rescue::is_spared(*now, outer));
}

TEST_CASE("a guardian whose supervisor lives is not at work") {
    const test::TempDir dir;
    const auto others = journal_inside(stranger, dir / "others", "other", ::getpid());
    const Guardian guardian(dir / "state", others.path(), ::getpid());
    CHECK_FALSE(is_at_work_inside(outer, guardian.pid()));
}
