#include "action/defer.hpp"

#include "../sample_stack.hpp"
#include "os/place.hpp"
#include "support/forked.hpp"
#include "support/hardship.hpp"
#include "support/temp_dir.hpp"
#include "support/traced.hpp"

#include <cstdlib>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

using namespace finally_run;

namespace {

// What a process says on stderr meanwhile.
class StderrMeanwhile {
public:
    StderrMeanwhile() : m_saved(::dup(STDERR_FILENO)) { ::dup2(m_gate.writer(), STDERR_FILENO); }
    StderrMeanwhile(const StderrMeanwhile&) = delete;
    StderrMeanwhile& operator=(const StderrMeanwhile&) = delete;
    ~StderrMeanwhile() { put_back(); }
    [[nodiscard]] std::string text() {
        put_back();
        return m_gate.rest();
    }

private:
    void put_back() {
        if (m_saved) {
            ::dup2(m_saved.get(), STDERR_FILENO);
            m_saved.reset();
        }
    }
    test::Gate m_gate;
    os::Fd m_saved;
};

// Status 0, or what was said.
std::string defer(const std::string& cmd) {
    StderrMeanwhile said;
    const plan::ExitStatus status = action::defer({cmd});
    const std::string text = said.text();
    CHECK(status.signal == 0);
    CHECK(status.code == (text.empty() ? 0 : 125));
    return text;
}

void set_journal(const std::filesystem::path& path) { ::setenv("FINALLY_RUN_JOURNAL", path.c_str(), 1); }

constexpr const char* over = "finally-run: --defer: true: the run is already over\n";

} // namespace

TEST_CASE("a deferred cleanup is on top of the stack, with the directory in which it was deferred") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    set_journal(stack.file().path());
    stack.push({.kind = plan::Cleanup::Kind::command, .text = "below"});
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(dir.path());
    const plan::Place here = os::current_place();
    CHECK(defer("rm -rf 'a b'\n").empty());
    std::filesystem::current_path(before);
    const auto top = stack.top();
    REQUIRE(top.has_value());
    CHECK(top->text == "rm -rf 'a b'\n");
    CHECK(top->kind == plan::Cleanup::Kind::command);
    CHECK((top->place == here));
}

TEST_CASE("outside a run nothing can be deferred") {
    ::unsetenv("FINALLY_RUN_JOURNAL");
    const std::string outside = "finally-run: --defer: true: not inside a run: FINALLY_RUN_JOURNAL is not set\n";
    CHECK(defer("true") == outside);
    set_journal("");
    CHECK(defer("true") == outside);
}

TEST_CASE("a run whose journal is gone, or that nobody is there to finish, is over") {
    const test::TempDir dir;
    std::optional<cleanup::Stack> stack = test::sample_stack(dir.path());
    const std::filesystem::path path = stack->file().path();
    set_journal(path);
    const auto size = std::filesystem::file_size(path);
    stack.reset();
    CHECK(defer("true") == over);
    CHECK(std::filesystem::file_size(path) == size);
    std::filesystem::remove(path);
    CHECK(defer("true") == over);
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("on a full disk nothing is deferred, and why is said") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    set_journal(stack.file().path());
    std::string text;
    {
        const test::FileSizeLimit full(std::filesystem::file_size(stack.file().path()) + 10);
        text = defer("true");
    }
    CHECK(text.starts_with("finally-run: --defer: true: "));
    CHECK(text.ends_with("No space left on device\n"));
    CHECK_FALSE(stack.top().has_value());
}

TEST_CASE("into a file that others could have written nothing is deferred") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    set_journal(stack.file().path());
    const auto size = std::filesystem::file_size(stack.file().path());
    REQUIRE(::chmod(stack.file().path().c_str(), 0644) == 0);
    CHECK(defer("true").find("mode 0600") != std::string::npos);
    CHECK(std::filesystem::file_size(stack.file().path()) == size);
}

TEST_CASE("into a locked file that is no journal of a run nothing is deferred") {
    for (const std::string text : {"", "some text\n", "\x1E"}) {
        const test::TempDir dir;
        const std::string path = dir / "file";
        test::write_file(path, text);
        REQUIRE(::chmod(path.c_str(), 0600) == 0);
        const os::Fd locked(::open(path.c_str(), O_RDWR | O_CLOEXEC));
        REQUIRE(::flock(locked.get(), LOCK_EX) == 0);
        set_journal(path);
        CHECK_FALSE(defer("true").empty());
        CHECK(test::read_file(path) == text);
    }
}

TEST_CASE("what is deferred behind the end of a run that is about to vanish is refused") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    set_journal(stack.file().path());
    stack.file().append(journal::Over{});
    stack.file().seal();
    CHECK(defer("true") == over);
    CHECK(stack.read_state().over);
    CHECK_FALSE(stack.top().has_value());
}

TEST_CASE("what is deferred behind a void end is on the stack") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    set_journal(stack.file().path());
    CHECK(defer("first").empty());
    CHECK_FALSE(stack.close());
    CHECK(defer("second").empty());
    CHECK(stack.top()->text == "second");
}

TEST_CASE("a deferral whose cleanup has run by the time that it looks is acknowledged") {
    // Held after its record is written, or after it has read it back.
    for (const long number : {SYS_write, SYS_pread64}) {
        CAPTURE(number);
        const test::TempDir dir;
        auto stack = test::sample_stack(dir.path());
        set_journal(stack.file().path());
        test::Traced deferrer([] { test::expect(action::defer({"true"}).code == 0, "it was refused"); });
        REQUIRE(deferrer.hold_after(SYS_write));
        const auto top = stack.top();
        REQUIRE(top.has_value());
        if (number == SYS_pread64) {
            stack.file().seal();
            REQUIRE(deferrer.hold_after(number));
        }
        stack.finished(*top, {});
        REQUIRE(stack.close());
        CHECK(deferrer.succeeded());
    }
}

TEST_CASE("a deferral is told from an equal one that came too late") {
    const test::TempDir dir;
    auto stack = test::sample_stack(dir.path());
    set_journal(stack.file().path());
    test::Traced in_time([] { test::expect(action::defer({"true"}).code == 0, "it was refused"); });
    test::Traced too_late([] { test::expect(action::defer({"true"}).code == 125, "it was accepted"); });
    REQUIRE(in_time.hold_after(SYS_write));
    REQUIRE(too_late.hold_after(SYS_flock)); // it has looked whether the run is over
    stack.finished(*stack.top(), {});
    REQUIRE(stack.close());
    REQUIRE(too_late.hold_after(SYS_write));
    CHECK(in_time.succeeded());
    CHECK(too_late.succeeded());
}
