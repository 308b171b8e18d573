// cli/action: what is asked for in place of a run.
#include "cli/options.hpp"
#include "command_line.hpp"

using namespace finally_run;
using cli::CommandLine;
using Words = std::vector<std::string>;
using namespace std::chrono_literals;

TEST_SUITE("cli/action") {
    TEST_CASE("a deferral has its CMD byte for byte") {
        for (const std::string cmd :
             {"rm -rf '$tmp'", "[a,b]", "--status", "-x", "--", "two\nlines", "caf\xe9", "a=b"}) {
            CAPTURE(cmd);
            CHECK(CommandLine({"--defer", cmd}).asked<plan::Defer>().cmd == cmd);
            CHECK(CommandLine({"--defer=" + cmd, "--"}).asked<plan::Defer>().cmd == cmd);
            CHECK(CommandLine({"-q", "--defer", cmd, "-q"}).asked<plan::Defer>().cmd == cmd);
        }
        const std::string large(131072, 'x');
        CHECK(CommandLine({"--defer", large}).asked<plan::Defer>().cmd == large);
    }

    TEST_CASE("a deferral is one CMD in one word") {
        CHECK(CommandLine({"--defer"}).error() == "--defer: no value given: it takes CMD");
        CHECK(CommandLine({"--defer="}).error() == "--defer: empty value: it takes CMD");
        CHECK(CommandLine({"--defer", "rm", "x"}).error() ==
              "--defer: unwanted word: x: CMD is one word, so put it in quotes");
        CHECK(CommandLine({"--defer", "rm", "-rf", "x"}).error() ==
              "--defer: unwanted word: x: CMD is one word, so put it in quotes");
        CHECK(CommandLine({"--defer", "rm", "--", "-x"}).error().starts_with("--defer: unwanted word: -x: "));
        CHECK(CommandLine({"--defer", "a", "--defer", "b"}).error() == "--defer: given twice: it takes one CMD");
    }

    TEST_CASE("status is for people, or for programs with --json") {
        const auto status = CommandLine({"--status"}).asked<plan::Status>();
        CHECK_FALSE(status.json);
        CHECK(status.state_dir.empty());
        const auto json = CommandLine({"--json", "-v", "--state-dir", "/s", "--status", "--"}).asked<plan::Status>();
        CHECK(json.json);
        CHECK(json.state_dir == "/s");
        CHECK(CommandLine({"--status", "make"}).error() == "--status: unwanted word: make: it takes none");
        CHECK(CommandLine({"--status", "--", "--json"}).error() == "--status: unwanted word: --json: it takes none");
    }

    TEST_CASE("recovery is of all runs, or of those named") {
        const auto all = CommandLine({"--recover"}).asked<plan::Recover>();
        CHECK(all.runs.empty());
        CHECK(all.state_dir.empty());
        CHECK(all.lock_wait == std::nullopt);
        CHECK(all.verbosity == plan::Verbosity::normal);

        const auto some =
            CommandLine({"--recover", "20261122T154203-5f3a9c2e", "-q", "b", "-w5", "--state-dir=/s", "c"})
                .asked<plan::Recover>();
        CHECK(some.runs == Words{"20261122T154203-5f3a9c2e", "b", "c"});
        CHECK(some.state_dir == "/s");
        CHECK(some.lock_wait == text::Limit(5s));
        CHECK(some.verbosity == plan::Verbosity::quiet);
        CHECK(CommandLine({"--no-wait", "--recover"}).asked<plan::Recover>().lock_wait == text::Limit(0s));
    }

    TEST_CASE("behind two dashes all words are runs") {
        CHECK(CommandLine({"--recover", "a", "--", "-b", "--status"}).asked<plan::Recover>().runs ==
              Words{"a", "-b", "--status"});
        CHECK(CommandLine({"--recover", "--"}).asked<plan::Recover>().runs.empty());
        CHECK(CommandLine({"--forget", "--", "--"}).asked<plan::Forget>().runs == Words{"--"});
    }

    TEST_CASE("only runs that are named are forgotten") {
        const auto forget = CommandLine({"-v", "--forget", "a", "b", "--state-dir", "/s"}).asked<plan::Forget>();
        CHECK(forget.runs == Words{"a", "b"});
        CHECK(forget.state_dir == "/s");
        CHECK(forget.verbosity == plan::Verbosity::verbose);
        for (const Words& words : {Words{"--forget"}, Words{"--forget", "--"}, Words{"-q", "--forget", "-v"}}) {
            CHECK_FALSE(CommandLine(words).error().empty());
        }
        CHECK(CommandLine({"--forget"}).error() == "--forget: no RUN given: it takes the ids that --status shows");
    }

    TEST_CASE("a run is named by letters, digits and dashes, 64 at most") {
        CHECK(CommandLine({"--recover", std::string(64, 'Z')}).error().empty());
        CHECK(CommandLine({"--recover", std::string(65, 'Z')}).error().find("64 at most") != std::string::npos);
        for (const std::string word : {"", ".", "..", "a/b", "a.b", "a_b", "a b", "a\n", "\xc3\xa4", "*"}) {
            CAPTURE(word);
            CHECK(CommandLine({"--recover", word})
                      .error()
                      .ends_with(": a RUN has letters, digits and -, 64 at most, such as 20261122T154203-5f3a9c2e"));
            CHECK(CommandLine({"--forget", "a", "--", word}).error().starts_with("--forget: "));
        }
    }

    TEST_CASE("two of them contradict each other") {
        CHECK(CommandLine({"--status", "--recover"}).error() ==
              "--recover: contradicts --status: give only one of them");
        CHECK(CommandLine({"--defer", "x", "--forget", "y"}).error() ==
              "--forget: contradicts --defer: give only one of them");
        CHECK(CommandLine({"--status", "--status"}).error().empty());
        CHECK(CommandLine({"--recover", "a", "--recover", "b"}).asked<plan::Recover>().runs == Words{"a", "b"});
    }

    TEST_CASE("an option of a run is refused and those that go along are named") {
        CHECK(CommandLine({"--grace", "3", "--recover"}).error() ==
              "--grace: means nothing to --recover: that goes with --wait, --no-wait, --cleanup-timeout, "
              "--cleanup-retries, --state-dir, --quiet and "
              "--verbose");
        CHECK(CommandLine({"--status", "-c", "x"}).error() ==
              "--cleanup: means nothing to --status: that goes with --json, --all-users, --state-dir, --quiet and "
              "--verbose");
        CHECK(CommandLine({"--defer", "x", "--state-dir", "/s"}).error() ==
              "--state-dir: means nothing to --defer: that goes with --quiet and --verbose");
        CHECK(CommandLine({"--forget", "a", "-n"}).error() ==
              "--no-wait: means nothing to --forget: that goes with --state-dir, --quiet and --verbose");
        CHECK(CommandLine({"--json", "--recover"}).error().starts_with("--json: means nothing to --recover: "));
    }

    TEST_CASE("each option goes with what it means something to, and with nothing else") {
        const auto goes_with = [](const char* action) {
            std::string names;
            for (const auto& option : cli::all_options()) {
                const auto name = cli::long_form(option);
                Words words{name};
                if (!option.value.empty()) {
                    const bool number = option.id == cli::Id::wait || option.id == cli::Id::cleanup_timeout ||
                                        option.id == cli::Id::cleanup_retries;
                    words.insert(words.end(), number ? "1" : "x");
                }
                words.emplace_back(action);
                words.emplace_back("x");
                if (name != action && option.id != cli::Id::help && option.id != cli::Id::version &&
                    CommandLine(words).error().empty()) {
                    names += name + ' ';
                }
            }
            return names;
        };
        CHECK(goes_with("--defer") == "--quiet --verbose ");
        CHECK(goes_with("--recover") == "--wait --no-wait --cleanup-timeout --cleanup-retries --state-dir --quiet "
                                        "--verbose ");
        CHECK(goes_with("--stop") == "--wait --no-wait --state-dir --quiet --verbose ");
        CHECK(goes_with("--forget") == "--state-dir --quiet --verbose ");
    }

    TEST_CASE("a wrong value of an option that goes along is refused") {
        CHECK(CommandLine({"--recover", "--wait", "soon"}).error().starts_with("--wait: soon: "));
        CHECK(CommandLine({"--status", "--state-dir="}).error() == "--state-dir: empty value: it takes DIR");
        CHECK(CommandLine({"--recover", "-qv"}).error().starts_with("--quiet: contradicts --verbose"));
        CHECK(CommandLine({"--recover=a"}).error() == "--recover: takes no value: --recover=a");
        CHECK(CommandLine({"--recover", "a", "--bogus"}).error().starts_with("unknown option: --bogus"));
    }

    TEST_CASE("a run has no use for --json or --all-users") {
        CHECK(CommandLine({"--all-users", "make"}).error() ==
              "--all-users: means nothing to a run: it goes with --status");
        CHECK(CommandLine({"--json", "make"}).error() == "--json: means nothing to a run: it goes with --status");
        CHECK(CommandLine({"--json"}).error() == "--json: means nothing to a run: it goes with --status");
    }

    TEST_CASE("behind the first word of the command nothing is asked for") {
        CHECK(CommandLine({"make", "--status", "--recover", "a"}).command() ==
              Words{"make", "--status", "--recover", "a"});
        CHECK(CommandLine({"--", "--recover"}).command() == Words{"--recover"});
        CHECK(CommandLine({"-c", "--recover", "make", "x"}).command() == Words{"make", "x"});
    }

    TEST_CASE("help wins over all of them") {
        CHECK(std::holds_alternative<cli::ShowHelp>(CommandLine({"--recover", "a/b", "--help"}).parse()));
        CHECK(std::holds_alternative<cli::ShowVersion>(CommandLine({"--forget", "--version"}).parse()));
    }

    TEST_CASE("a message about a word of theirs is one short line") {
        for (const Words& words : {Words{"--status", "a\nb\x1b[31m" + std::string(100000, 'x')},
                                   Words{"--recover", "\n\xff" + std::string(100000, 'x')}}) {
            const auto error = CommandLine(words).error();
            CAPTURE(error);
            CHECK_FALSE(error.empty());
            CHECK(error.size() < 200);
            CHECK(error.find_first_of("\n\x1b\xff") == std::string::npos);
        }
    }
}
