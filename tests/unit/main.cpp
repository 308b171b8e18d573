// Runs the unit tests. Each case finds the process as main found it, whatever the one before has done to it.
#define DOCTEST_CONFIG_IMPLEMENT
#include "main_args.hpp"
#include "os/child.hpp"
#include "support/process_state.hpp"
#include "support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <optional>
#include <unistd.h>

finally_run::os::MainArgs finally_run::test::main_args{};

namespace finally_run::test {
namespace {

class CaseListener : public doctest::IReporter {
public:
    explicit CaseListener(const doctest::ContextOptions& /*options*/) {}

    void test_run_start() override { m_state.emplace(); }
    void test_case_start(const doctest::TestCaseData& /*data*/) override { TempDir::keep_all(false); }
    void test_case_reenter(const doctest::TestCaseData& /*data*/) override { restore(); }
    void test_case_end(const doctest::CurrentTestCaseStats& /*stats*/) override { restore(); }
    void log_assert(const doctest::AssertData& data) override {
        if (data.m_failed) {
            TempDir::keep_all(true);
        }
    }

    void report_query(const doctest::QueryData& /*data*/) override {}
    void test_run_end(const doctest::TestRunStats& /*stats*/) override {}
    void test_case_exception(const doctest::TestCaseException& /*exception*/) override {}
    void subcase_start(const doctest::SubcaseSignature& /*signature*/) override {}
    void subcase_end() override {}
    void log_message(const doctest::MessageData& /*data*/) override {}
    void test_case_skipped(const doctest::TestCaseData& /*data*/) override {}

private:
    void restore() const {
        signals_of_case().reset();
        m_state->restore();
    }

    std::optional<ProcessState> m_state;
};

REGISTER_LISTENER("process-state", 1, CaseListener);

} // namespace
} // namespace finally_run::test

int main(int argc, char* argv[]) {
    finally_run::test::main_args = {argv, environ};
    return doctest::Context(argc, argv).run();
}
