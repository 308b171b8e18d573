#include "report/ci_log.hpp"

#include "channel.hpp"

#include <algorithm>
#include <array>

namespace {

using namespace finally_run;
using namespace std::chrono_literals;
using plan::Ci;
using report::CiLog;
using report::Messages;
using test::Variable;

constexpr std::chrono::sys_seconds noon(1700000000s);

template <class... Entries> Ci resolved(Entries... entries) {
    const std::array<const char*, sizeof...(entries) + 1> environment{entries..., nullptr};
    return report::resolve_ci(Ci::automatic, environment.data());
}

std::string said(Ci ci, const auto& use) {
    const Variable github("GITHUB_ACTIONS", nullptr);
    const Variable azure("TF_BUILD", nullptr);
    auto channel = test::pipe_channel();
    Messages messages(plan::Verbosity::normal, channel.writer.get());
    CiLog log(ci, "ab/1", messages);
    use(log);
    return channel.all();
}

// GitLab's marks hold the time of day.
std::string without_times(std::string text) {
    for (auto at = text.find(':'); at != std::string::npos; at = text.find(':', at + 1)) {
        const auto end = text.find_first_not_of("0123456789", at + 1);
        if (end != std::string::npos && end > at + 9) {
            text.replace(at + 1, end - at - 1, "T");
        }
    }
    return text;
}

} // namespace

TEST_CASE("the kind of log is known by its variables") {
    CHECK(resolved() == Ci::none);
    CHECK(resolved("GITHUB_ACTIONS=true") == Ci::github);
    CHECK(resolved("CI=1", "GITLAB_CI=true") == Ci::gitlab);
    CHECK(resolved("GITHUB_ACTIONS=") == Ci::none);
    CHECK(resolved("XGITHUB_ACTIONS=true", "GITHUB_ACTIONSX=true") == Ci::none);
    CHECK(report::resolve_ci(Ci::automatic, nullptr) == Ci::none);
}

TEST_CASE("inside the cleanup of an outer run there are no sections unless asked for") {
    CHECK(resolved("GITHUB_ACTIONS=true", "FINALLY_RUN_RESULT=success") == Ci::none);
    const std::array<const char*, 2> environment{"FINALLY_RUN_RESULT=success", nullptr};
    CHECK(report::resolve_ci(Ci::gitlab, environment.data()) == Ci::gitlab);
}

TEST_CASE("what could end a GitHub mark is escaped") {
    CHECK(report::github_group("50% of\r\n::x") == "::group::50%25 of%0D%0A::x\n");
    CHECK(report::github_error("a:b,c%\n::", "d: e,f%\n") == "::error title=a%3Ab%2Cc%25%0A%3A%3A::d: e,f%25%0A\n");
}

TEST_CASE("a GitLab section has a name of allowed characters only") {
    CHECK(report::gitlab_start(noon, "a b:c\n[d]", "Title") ==
          "\x1b[0Ksection_start:1700000000:a_b_c__d_[collapsed=true]\r\x1b[0KTitle\n");
    CHECK(report::gitlab_end(noon, "a.b-c") == "\x1b[0Ksection_end:1700000000:a.b-c\r\x1b[0K\n");
}

TEST_CASE("durations are as short as they can be read") {
    CHECK(report::duration_text(0s) == "0ms");
    CHECK(report::duration_text(999999us) == "999ms");
    CHECK(report::duration_text(1250ms) == "1.2s");
    CHECK(report::duration_text(59999ms) == "59.9s");
    CHECK(report::duration_text(125s) == "2m05s");
    CHECK(report::duration_text(2h + 3min + 59s) == "2h03m");
}

TEST_CASE("a step is a folded section at GitHub, and its last line says how it went") {
    const auto text = said(Ci::github, [](CiLog& log) {
        log.open_section("cleanup", "echo\n::error::no 1%");
        log.close_section("done", 1200ms);
    });
    CHECK(text == "::group::finally-run: cleanup: echo\\n::error::no 1%25\n"
                  "finally-run: cleanup: echo\\n::error::no 1%: done after 1.2s\n::endgroup::\n");
}

TEST_CASE("a step is a folded section at GitLab, each of a name of its own") {
    const auto text = said(Ci::gitlab, [](CiLog& log) {
        log.open_section("setup", "up");
        log.close_section("done", 1s);
        log.open_section("cleanup", "down");
        log.close_section("done", 2s);
    });
    CHECK(without_times(text) ==
          "\x1b[0Ksection_start:T:finally_run_ab_1_1[collapsed=true]\r\x1b[0Kfinally-run: setup: up\n"
          "finally-run: setup: up: done after 1.0s\n\x1b[0Ksection_end:T:finally_run_ab_1_1\r\x1b[0K\n"
          "\x1b[0Ksection_start:T:finally_run_ab_1_2[collapsed=true]\r\x1b[0Kfinally-run: cleanup: down\n"
          "finally-run: cleanup: down: done after 2.0s\n\x1b[0Ksection_end:T:finally_run_ab_1_2\r\x1b[0K\n");
}

TEST_CASE("without a CI log there are no sections") {
    CHECK(said(Ci::none, [](CiLog& log) {
              log.open_section("setup", "up");
              log.close_section("done", 1s);
          }).empty());
}

TEST_CASE("a failure is an annotation at GitHub, and else an ordinary error without colour") {
    const auto fail = [](CiLog& log) { log.failure("cleanup failed", "x: \x1b[0Ksection_end", "exit status 1"); };
    const std::string line = "finally-run: cleanup failed: x: \\e[0Ksection_end: exit status 1";
    CHECK(said(Ci::github, fail) == "::error title=finally-run%3A cleanup failed::" + line + '\n');
    CHECK(said(Ci::gitlab, fail) == line + '\n');
    CHECK(said(Ci::none, fail) == line + '\n');
}

TEST_CASE("foreign text in a section's title or result never starts a command of the log") {
    const Variable github("GITHUB_ACTIONS", "true");
    auto channel = test::pipe_channel();
    Messages messages(plan::Verbosity::normal, channel.writer.get());
    CiLog log(Ci::github, "1", messages);
    log.open_section("cleanup", "##[add-mask]a\n::add-mask::b");
    log.close_section("\n::stop-commands::x", 1s);
    log.failure("##[warning]", "::debug::", "\r\n::error::");
    const std::string text = '\n' + channel.all();
    CHECK(text.find("##[") == std::string::npos);
    CHECK(text.find("\n::add-mask") == std::string::npos);
    CHECK(text.find("\n::stop-commands") == std::string::npos);
    CHECK(std::ranges::count(text, '\n') == 5);
}
