// cli/environment: defaults from FINALLY_RUN_ variables.
#include "command_line.hpp"

using namespace finally_run;
using cli::CommandLine;
using Words = std::vector<std::string>;
using namespace std::chrono_literals;

TEST_SUITE("cli/environment") {
    TEST_CASE("every option but steps and locks has a variable") {
        const auto plan =
            CommandLine({"make"},
                        {"FINALLY_RUN_WAIT=1m", "FINALLY_RUN_CONFLICT_EXIT_CODE=9", "FINALLY_RUN_TIMEOUT=2h",
                         "FINALLY_RUN_SIGNAL=INT", "FINALLY_RUN_GRACE=3s", "FINALLY_RUN_CLEANUP_TIMEOUT=4s",
                         "FINALLY_RUN_CLEANUP_RETRIES=5", "FINALLY_RUN_ORPHANS=wait",
                         "FINALLY_RUN_STOP_WITH_CALLER=always", "FINALLY_RUN_STATE_DIR=/s", "FINALLY_RUN_STRICT=1",
                         "FINALLY_RUN_REWRITE=TERM:QUIT,HUP:0", "FINALLY_RUN_PRESERVE_STATUS=1",
                         "FINALLY_RUN_KEEP_ENV=A_*, B", "FINALLY_RUN_DURABLE=1", "FINALLY_RUN_REPORT=r",
                         "FINALLY_RUN_CI=none", "FINALLY_RUN_QUIET=yes"})
                .plan();
        CHECK(plan.lock_wait == text::Limit(1min));
        CHECK(plan.conflict_exit_code == 9);
        CHECK(plan.timeout == text::Limit(2h));
        CHECK(plan.stop_signal == SIGINT);
        CHECK(plan.grace == text::Limit(3s));
        CHECK(plan.cleanup_timeout == text::Limit(4s));
        CHECK(plan.cleanup_retries == 5);
        CHECK(plan.orphans == plan::Orphans::wait);
        CHECK(plan.stop_with_caller == plan::StopWithCaller::always);
        CHECK(plan.state_dir == "/s");
        CHECK(plan.strict);
        CHECK(plan.rewrites.size() == 2);
        CHECK(plan.preserve_status);
        CHECK(plan.keep_env == Words{"A_*", "B"});
        CHECK(plan.durable);
        CHECK(plan.report == "r");
        CHECK(plan.ci == plan::Ci::none);
        CHECK(plan.verbosity == plan::Verbosity::quiet);
        CHECK(CommandLine({"make"}, {"FINALLY_RUN_VERBOSE=on"}).plan().verbosity == plan::Verbosity::verbose);
        CHECK(CommandLine({"make"}, {"FINALLY_RUN_NO_WAIT=true"}).plan().lock_wait == text::Limit(0s));
    }

    TEST_CASE("steps, locks and what is asked for in place of a run have none") {
        CommandLine line({"make"},
                         {"FINALLY_RUN_CLEANUP=x", "FINALLY_RUN_ON_SUCCESS=x", "FINALLY_RUN_ON_FAILURE=x",
                          "FINALLY_RUN_REMOVE=x", "FINALLY_RUN_TEMP_DIR=x", "FINALLY_RUN_SETUP=x", "FINALLY_RUN_LOCK=x",
                          "FINALLY_RUN_LOCK_SHARED=x", "FINALLY_RUN_HELP=1", "FINALLY_RUN_VERSION=1",
                          "FINALLY_RUN_ID=x", "FINALLY_RUN_JOURNAL=x", "FINALLY_RUN_DEFER=x", "FINALLY_RUN_STATUS=1",
                          "FINALLY_RUN_JSON=1", "FINALLY_RUN_RECOVER=1", "FINALLY_RUN_FORGET=1"});
        CHECK(line.plan().steps.empty());
        CHECK(line.plan().locks.empty());
    }

    TEST_CASE("the command line wins, even over a bad value") {
        CHECK(CommandLine({"-k", "1", "make"}, {"FINALLY_RUN_GRACE=30s"}).plan().grace == text::Limit(1s));
        CHECK(CommandLine({"-k", "1", "make"}, {"FINALLY_RUN_GRACE=bad"}).plan().grace == text::Limit(1s));
        CHECK(CommandLine({"-n", "make"}, {"FINALLY_RUN_WAIT=bad"}).error().empty());
        CHECK(CommandLine({"-n", "make"}, {"FINALLY_RUN_WAIT=5", "FINALLY_RUN_NO_WAIT=1"}).error().empty());
        CHECK(CommandLine({"-n", "make"}, {"FINALLY_RUN_WAIT=5"}).plan().lock_wait == text::Limit(0s));
        CHECK(CommandLine({"-w", "5", "make"}, {"FINALLY_RUN_NO_WAIT=1"}).plan().lock_wait == text::Limit(5s));
        CHECK(CommandLine({"-q", "make"}, {"FINALLY_RUN_VERBOSE=1"}).plan().verbosity == plan::Verbosity::quiet);
        CHECK(CommandLine({"--keep-env", "A", "make"}, {"FINALLY_RUN_KEEP_ENV=B"}).plan().keep_env == Words{"A"});
    }

    TEST_CASE("a value from a variable is taken byte for byte") {
        for (const std::string value : {"[a,b]", "%%", "{}", "-x", "--", "a,b", "caf\xe9", "true"}) {
            CAPTURE(value);
            CHECK(CommandLine({"make"}, {"FINALLY_RUN_STATE_DIR=" + value}).plan().state_dir == value);
        }
    }

    TEST_CASE("an empty variable counts as unset") {
        const auto plan =
            CommandLine({"make"}, {"FINALLY_RUN_GRACE=", "FINALLY_RUN_STRICT=", "FINALLY_RUN_REPORT="}).plan();
        CHECK(plan.grace == text::Limit(10s));
        CHECK_FALSE(plan.strict);
        CHECK(plan.report.empty());
    }

    TEST_CASE("a flag can be switched off") {
        for (const auto* no : {"0", "false", "no", "off"}) {
            CHECK_FALSE(CommandLine({"make"}, {std::string("FINALLY_RUN_STRICT=") + no}).plan().strict);
        }
        CHECK(CommandLine({"make"}, {"FINALLY_RUN_NO_WAIT=0", "FINALLY_RUN_WAIT=5"}).plan().lock_wait ==
              text::Limit(5s));
    }

    TEST_CASE("a bad value is blamed on its variable") {
        CHECK(CommandLine({"make"}, {"FINALLY_RUN_GRACE=soon"}).error() ==
              "FINALLY_RUN_GRACE: soon: a duration is a number with ms, s, m, h or d, such as 90s or 1h30m");
        CHECK(CommandLine({"make"}, {"FINALLY_RUN_STRICT=maybe"}).error() ==
              "FINALLY_RUN_STRICT: maybe: it takes 1, true, yes, on, 0, false, no or off");
        CHECK(CommandLine({"make"}, {"FINALLY_RUN_WAIT=5", "FINALLY_RUN_NO_WAIT=1"}).error() ==
              "FINALLY_RUN_NO_WAIT: contradicts FINALLY_RUN_WAIT: set only one of them");
    }

    TEST_CASE("what is asked for in place of a run has the defaults of the options that go with it") {
        const Words defaults{"FINALLY_RUN_STATE_DIR=/s", "FINALLY_RUN_WAIT=5", "FINALLY_RUN_QUIET=1"};
        const auto recover = CommandLine({"--recover"}, defaults).asked<plan::Recover>();
        CHECK(recover.state_dir == "/s");
        CHECK(recover.lock_wait == text::Limit(5s));
        CHECK(recover.verbosity == plan::Verbosity::quiet);
        CHECK(CommandLine({"--recover"}, {"FINALLY_RUN_NO_WAIT=1"}).asked<plan::Recover>().lock_wait ==
              text::Limit(0s));
        CHECK(CommandLine({"--status"}, defaults).asked<plan::Status>().state_dir == "/s");
        const auto forget = CommandLine({"--forget", "1"}, defaults).asked<plan::Forget>();
        CHECK(forget.state_dir == "/s");
        CHECK(forget.verbosity == plan::Verbosity::quiet);

        CHECK(CommandLine({"--recover", "-v", "-n", "--state-dir", "/t"}, defaults).error().empty());
        CHECK(CommandLine({"--status", "--state-dir", "/t"}, defaults).asked<plan::Status>().state_dir == "/t");
        CHECK(CommandLine({"--recover"}, {"FINALLY_RUN_WAIT=soon"}).error().starts_with("FINALLY_RUN_WAIT: soon: "));
        CHECK(CommandLine({"--forget", "1"}, {"FINALLY_RUN_QUIET=1", "FINALLY_RUN_VERBOSE=1"})
                  .error()
                  .starts_with("FINALLY_RUN_VERBOSE: contradicts FINALLY_RUN_QUIET"));
    }

    TEST_CASE("the other defaults do not keep it from its work") {
        const Words bad{"FINALLY_RUN_GRACE=bad",  "FINALLY_RUN_KEEP_ENV=A=b", "FINALLY_RUN_DURABLE=maybe",
                        "FINALLY_RUN_SIGNAL=bad", "FINALLY_RUN_STRICT=maybe", "FINALLY_RUN_CI=bad"};
        for (const Words& words : {Words{"--status"}, Words{"--recover"}, Words{"--forget", "1"}}) {
            CHECK(CommandLine(words, bad).error().empty());
        }
        CHECK(CommandLine({"--status"}, {"FINALLY_RUN_WAIT=bad"}).error().empty());
        CHECK(CommandLine({"--forget", "1"}, {"FINALLY_RUN_WAIT=5", "FINALLY_RUN_NO_WAIT=1"}).error().empty());
        CHECK(CommandLine({"--defer", "x"}, {"FINALLY_RUN_QUIET=bad", "FINALLY_RUN_GRACE=bad"}).error().empty());
    }

    TEST_CASE("inside a cleanup the signal of the outer run is no default") {
        const Words told{"FINALLY_RUN_SIGNAL=HUP", "FINALLY_RUN_RESULT=stopped", "FINALLY_RUN_GRACE=3s"};
        CHECK(CommandLine({"make"}, told).plan().stop_signal == SIGTERM);
        CHECK(CommandLine({"make"}, told).plan().grace == text::Limit(3s));
        CHECK(CommandLine({"make"}, {"FINALLY_RUN_SIGNAL=", "FINALLY_RUN_RESULT=success"}).plan().stop_signal ==
              SIGTERM);
    }

    TEST_CASE("only whole names count, and the first of two") {
        CommandLine line({"make"},
                         {"FINALLY_RUN_GRAC=1", "FINALLY_RUN_GRACES=1", "FINALLY_RUN_GRACE", "xFINALLY_RUN_GRACE=1",
                          "FINALLY_RUN_grace=1", "FINALLY_RUN_GRACE=5", "FINALLY_RUN_GRACE=6", "FINALLY_RUN_=1"});
        CHECK(line.plan().grace == text::Limit(5s));
    }
}
