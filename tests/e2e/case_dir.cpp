// Makes each case its directory and deadline, and kills and removes what the case has left.
#include "case_dir.hpp"

#include "harness.hpp"
#include "support/temp_dir.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <poll.h>

namespace finally_run::e2e {
namespace {

using Clock = std::chrono::steady_clock;

const std::chrono::seconds case_limit(sanitized ? 180 : 60);

struct Case {
    std::optional<test::TempDir> dir;
    Clock::time_point deadline;
};

// doctest runs one case at a time and passes cases no argument.
Case& current() {
    static Case value;
    return value;
}

void kill_leftovers() {
    for (;;) {
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
        const auto pids = leftovers();
        if (pids.empty())
            return;
        for (const pid_t pid : pids)
            ::kill(pid, SIGKILL);
        ::poll(nullptr, 0, 1);
    }
}

class CaseListener : public doctest::IReporter {
public:
    explicit CaseListener(const doctest::ContextOptions& /*options*/) {}

    void test_case_start(const doctest::TestCaseData& /*data*/) override { begin(); }
    void test_case_reenter(const doctest::TestCaseData& /*data*/) override {
        end(false);
        begin();
    }
    void test_case_end(const doctest::CurrentTestCaseStats& stats) override { end(!stats.testCaseSuccess); }

    void report_query(const doctest::QueryData& /*data*/) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats& /*stats*/) override {}
    void test_case_exception(const doctest::TestCaseException& /*exception*/) override {}
    void subcase_start(const doctest::SubcaseSignature& /*signature*/) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData& /*data*/) override {}
    void log_message(const doctest::MessageData& /*data*/) override {}
    void test_case_skipped(const doctest::TestCaseData& /*data*/) override {}

private:
    static void begin() {
        current().dir.emplace("finally-run-e2e");
        current().deadline = Clock::now() + case_limit;
        for (const char* name : {"work", "home", "state", "tmp", "bin"})
            fs::create_directory(case_dir() / name);
        fs::create_symlink(binary(), case_dir() / "bin" / "finally-run");
        fs::create_symlink(FINALLY_RUN_HELPER, case_dir() / "bin" / "helper");
    }

    static void end(bool failed) {
        kill_leftovers();
        if (failed)
            current().dir->keep();
        current().dir.reset();
    }
};

REGISTER_LISTENER("case-dir", 1, CaseListener);

} // namespace

const fs::path& case_dir() { return current().dir.value().path(); }

std::map<std::string, std::string> clean_environment() {
    std::map<std::string, std::string> result{
        {"PATH", case_dir() / "bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        {"HOME", case_dir() / "home"},
        {"XDG_STATE_HOME", case_dir() / "state"},
        {"TMPDIR", case_dir() / "tmp"},
        {"LC_ALL", "C"},
        {"TERM", "dumb"},
    };
    for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"}) {
        if (const char* value = std::getenv(name); value != nullptr)
            result[name] = value;
    }
    return result;
}

int remaining_ms() {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(current().deadline - Clock::now()).count();
    return left > 0 ? static_cast<int>(left) : 0;
}

} // namespace finally_run::e2e
