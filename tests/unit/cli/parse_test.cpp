// cli/parse: from the words to the plan.
#include "command_line.hpp"

using namespace finally_run;
using cli::CommandLine;
using Words = std::vector<std::string>;
using Kind = plan::Cleanup::Kind;
using namespace std::chrono_literals;

TEST_SUITE("cli/parse") {
    TEST_CASE("the command begins at the first word that is no option") {
        CHECK(CommandLine({"make", "-j4", "--lock", "x"}).command() == Words{"make", "-j4", "--lock", "x"});
        CHECK(CommandLine({"--lock", "x", "make", "--", "-c"}).command() == Words{"make", "--", "-c"});
        CHECK(CommandLine({"--", "-x", "--help"}).command() == Words{"-x", "--help"});
        CHECK(CommandLine({"--", "--", "x"}).command() == Words{"--", "x"});
        CHECK(CommandLine({"-q", "-", "x"}).command() == Words{"-", "x"});
        CHECK(CommandLine({""}).command() == Words{""});
    }

    TEST_CASE("the words of the command are argv's own, with the null behind them") {
        CommandLine line({"-q", "make", "[a,b]", "caf\xe9"});
        const auto command = line.plan().command;
        CHECK(std::string(command[1]) == "[a,b]");
        CHECK(std::string(command[2]) == "caf\xe9");
        CHECK(*(command.data() + command.size()) == nullptr);
    }

    TEST_CASE("steps keep the order in which they stand, whatever their kinds") {
        const auto steps = CommandLine({"-s", "1", "--cleanup", "2", "--on-failure=3", "-s4", "--temp-dir", "W", "-r",
                                        "p", "--on-success", "6", "-c", "7", "make"})
                               .plan()
                               .steps;
        std::string order;
        std::vector<std::optional<Kind>> kinds;
        for (const auto& step : steps) {
            order += step.text;
            kinds.push_back(step.cleanup);
        }
        CHECK(order == "1234Wp67");
        CHECK(kinds == std::vector<std::optional<Kind>>{std::nullopt, Kind::command, Kind::on_failure, std::nullopt,
                                                        Kind::temp_dir, Kind::remove, Kind::on_success, Kind::command});
    }

    TEST_CASE("a value arrives byte for byte in each way of giving it") {
        for (const std::string value : {"[ -f x ] && rm x",
                                        "[a,b]",
                                        "[]",
                                        "a,b",
                                        "-x",
                                        "--lock",
                                        "--",
                                        "-",
                                        "=",
                                        "=x",
                                        "a=b",
                                        "%%",
                                        "{}",
                                        "'q'",
                                        "\"q\"",
                                        "two\nlines",
                                        " blanks ",
                                        "caf\xe9\xff",
                                        "#c",
                                        "\\n",
                                        "--cleanup=x",
                                        "/"}) {
            CAPTURE(value);
            for (const Words& words :
                 {Words{"-c", value, "make"}, Words{"--cleanup", value, "make"}, Words{"--cleanup=" + value, "make"},
                  Words{"-c" + value, "make"}, Words{"-qc", value, "make"}, Words{"-qc" + value, "make"}}) {
                CommandLine line(words);
                const auto plan = line.plan();
                REQUIRE(plan.steps.size() == 1);
                CHECK(plan.steps[0].text == value);
                CHECK(line.command() == Words{"make"});
            }
        }
    }

    TEST_CASE("a value of 128 KiB arrives whole") {
        const std::string value(131072, 'x');
        CHECK(CommandLine({"--cleanup", value, "make"}).plan().steps.at(0).text == value);
    }

    TEST_CASE("an empty value is no command, path, name or variable") {
        for (const auto* option :
             {"--cleanup", "--on-success", "--on-failure", "--remove", "--temp-dir", "--setup", "--lock",
              "--lock-shared", "--state-dir", "--keep-env", "--report", "--timeout", "--signal", "--ci"}) {
            CAPTURE(option);
            CHECK(CommandLine({option, "", "make"}).error().starts_with(std::string(option) + ": empty value: "));
            CHECK(CommandLine({std::string(option) + "=", "make"}).error().find("empty value") != std::string::npos);
        }
    }

    TEST_CASE("locks are shared or not, and keep their order") {
        const auto locks = CommandLine({"-l", "b", "--lock-shared", "/tmp/.x", "--lock=a", "make"}).plan().locks;
        REQUIRE(locks.size() == 3);
        CHECK((locks[0].name == "b" && !locks[0].shared));
        CHECK((locks[1].name == "/tmp/.x" && locks[1].shared));
        CHECK((locks[2].name == "a" && !locks[2].shared));
    }

    TEST_CASE("without options all is as documented") {
        const auto plan = CommandLine({"make"}).plan();
        CHECK(plan.lock_wait == std::nullopt);
        CHECK(plan.conflict_exit_code == 75);
        CHECK(plan.timeout == std::nullopt);
        CHECK(plan.stop_signal == SIGTERM);
        CHECK(plan.rewrites.empty());
        CHECK_FALSE(plan.preserve_status);
        CHECK(plan.grace == text::Limit(10s));
        CHECK(plan.cleanup_timeout == std::nullopt);
        CHECK(plan.cleanup_retries == 0);
        CHECK(plan.orphans == plan::Orphans::leave);
        CHECK(plan.stop_with_caller == plan::StopWithCaller::automatic);
        CHECK_FALSE(plan.strict);
        CHECK_FALSE(plan.durable);
        CHECK(plan.keep_env.empty());
        CHECK(plan.state_dir.empty());
        CHECK(plan.report.empty());
        CHECK(plan.ci == plan::Ci::automatic);
        CHECK(plan.verbosity == plan::Verbosity::normal);
    }

    TEST_CASE("each option sets what it says") {
        const auto plan = CommandLine({"-w",         "1m",
                                       "-E",         "9",
                                       "-t",         "2h",
                                       "--signal",   "KILL",
                                       "-k",         "3s",
                                       "--strict",   "--cleanup-timeout",
                                       "4s",         "--cleanup-retries",
                                       "5",          "--orphans",
                                       "kill",       "--stop-with-caller",
                                       "never",      "--state-dir",
                                       "/s",         "--durable",
                                       "--keep-env", "A",
                                       "--report",   "r.json",
                                       "--ci",       "gitlab",
                                       "-v",         "make"})
                              .plan();
        CHECK(plan.lock_wait == text::Limit(1min));
        CHECK(plan.conflict_exit_code == 9);
        CHECK(plan.timeout == text::Limit(2h));
        CHECK(plan.stop_signal == SIGKILL);
        CHECK(plan.grace == text::Limit(3s));
        CHECK(plan.cleanup_timeout == text::Limit(4s));
        CHECK(plan.cleanup_retries == 5);
        CHECK(plan.orphans == plan::Orphans::kill);
        CHECK(plan.stop_with_caller == plan::StopWithCaller::never);
        CHECK(plan.strict);
        CHECK(plan.durable);
        CHECK(plan.keep_env == Words{"A"});
        CHECK(plan.state_dir == "/s");
        CHECK(plan.report == "r.json");
        CHECK(plan.ci == plan::Ci::gitlab);
        CHECK(plan.verbosity == plan::Verbosity::verbose);
    }

    TEST_CASE("each choice is understood") {
        CHECK(CommandLine({"--orphans", "leave", "x"}).plan().orphans == plan::Orphans::leave);
        CHECK(CommandLine({"--orphans", "wait", "x"}).plan().orphans == plan::Orphans::wait);
        CHECK(CommandLine({"--stop-with-caller", "auto", "x"}).plan().stop_with_caller ==
              plan::StopWithCaller::automatic);
        CHECK(CommandLine({"--stop-with-caller", "always", "x"}).plan().stop_with_caller ==
              plan::StopWithCaller::always);
        CHECK(CommandLine({"--ci", "auto", "x"}).plan().ci == plan::Ci::automatic);
        CHECK(CommandLine({"--ci", "github", "x"}).plan().ci == plan::Ci::github);
        CHECK(CommandLine({"--ci", "none", "x"}).plan().ci == plan::Ci::none);
        CHECK(CommandLine({"--ci", "leave", "x"}).error() == "--ci: leave: it takes auto|github|gitlab|none");
        CHECK(CommandLine({"--orphans", "leave|wait", "x"}).error() ==
              "--orphans: leave|wait: it takes leave|wait|kill");
    }

    TEST_CASE("zero is no limit, except that a wait of zero does not wait") {
        const auto plan = CommandLine({"-t", "0", "-k", "0", "--cleanup-timeout", "0ms", "-w", "0", "make"}).plan();
        CHECK(plan.timeout == std::nullopt);
        CHECK(plan.grace == std::nullopt);
        CHECK(plan.cleanup_timeout == std::nullopt);
        CHECK(plan.lock_wait == text::Limit(0s));
        CHECK(CommandLine({"--no-wait", "make"}).plan().lock_wait == text::Limit(0s));
    }

    TEST_CASE("of an option given twice the last counts") {
        CHECK(CommandLine({"-t", "1", "--timeout=2", "-t3", "make"}).plan().timeout == text::Limit(3s));
        CHECK(CommandLine({"-vv", "-v", "--strict", "--strict", "make"}).plan().strict);
    }

    TEST_CASE("variables to keep are separated by commas or blanks, and add up") {
        const auto kept = CommandLine({"--keep-env", "AWS_*,SSH_AUTH_SOCK", "--keep-env= [A-C]? ,, D\tE\nF ", "make"})
                              .plan()
                              .keep_env;
        CHECK(kept == Words{"AWS_*", "SSH_AUTH_SOCK", "[A-C]?", "D", "E", "F"});
    }

    TEST_CASE("a variable to keep is named without its value, and there is at least one") {
        CHECK(CommandLine({"--keep-env", "A=b", "x"}).error() ==
              "--keep-env: A=b: it takes names of variables, as in AWS_*,SSH_AUTH_SOCK, and no values");
        CHECK(CommandLine({"--keep-env", "A,=", "x"}).error().ends_with(", and no values"));
        CHECK(CommandLine({"--keep-env", " ,", "x"}).error() ==
              "--keep-env:  ,: it takes names of variables, as in AWS_*,SSH_AUTH_SOCK");
        CHECK(CommandLine({"--keep-env", "A", "--keep-env", "", "x"}).error().starts_with("--keep-env: empty value: "));
    }

    TEST_CASE("short flags can be written in one word") {
        CommandLine line({"-qnc", "CMD", "make"});
        const auto plan = line.plan();
        CHECK(plan.verbosity == plan::Verbosity::quiet);
        CHECK(plan.lock_wait == text::Limit(0s));
        CHECK(plan.steps.at(0).text == "CMD");
        CHECK(line.command() == Words{"make"});
    }

    TEST_CASE("options that contradict each other are refused in any order") {
        CHECK(CommandLine({"--wait", "5", "-n", "make"}).error() ==
              "--wait: contradicts --no-wait: give only one of them");
        CHECK(CommandLine({"-n", "--wait", "5", "make"}).error() ==
              "--no-wait: contradicts --wait: give only one of them");
        CHECK(CommandLine({"-qv", "make"}).error() == "--quiet: contradicts --verbose: give only one of them");
    }

    TEST_CASE("without a command the usage is shown") {
        for (const Words& words : {Words{}, Words{"--lock", "x"}, Words{"--lock", "x", "--"}, Words{"-q"}}) {
            CHECK(CommandLine(words).error().starts_with(
                "missing command: usage is finally-run [OPTION...] [--] COMMAND"));
        }
    }

    TEST_CASE("an argv without any word is a missing command") {
        CHECK_THROWS_AS((void)cli::parse({}), cli::UsageError);
    }

    TEST_CASE("a value that is not there is asked for") {
        CHECK(CommandLine({"--cleanup"}).error() == "--cleanup: no value given: it takes CMD");
        CHECK(CommandLine({"-q", "--wait=1", "--grace"}, {"FINALLY_RUN_GRACE=1"}).error() ==
              "--grace: no value given: it takes DURATION");
        CHECK(CommandLine({"-qc"}).error() == "--cleanup: no value given: it takes CMD");
        CHECK(CommandLine({"--quiet=yes", "x"}).error() == "--quiet: takes no value: --quiet=yes");
        CHECK(CommandLine({"--no-wait=", "x"}).error() == "--no-wait: takes no value: --no-wait=");
    }

    TEST_CASE("a wrong value is named together with what is allowed") {
        CHECK(CommandLine({"-k", "soon", "x"}).error() ==
              "--grace: soon: a duration is a number with ms, s, m, h or d, such as 90s or 1h30m");
        CHECK(CommandLine({"--signal", "0", "x"}).error() ==
              "--signal: 0: no such signal; it takes a name or a number, such as INT or 2");
        for (const auto* status : {"256", "-1", "+1", "1.0", "x", "", " 1", "99999999999", "0x9"}) {
            CAPTURE(status);
            CHECK(CommandLine({"-E", status, "x"}).error().ends_with(": it takes a number from 0 to 255"));
        }
        CHECK(CommandLine({"-E", "255", "x"}).plan().conflict_exit_code == 255);
        CHECK(CommandLine({"-E", "010", "x"}).plan().conflict_exit_code == 10);
        CHECK(CommandLine({"--cleanup-retries", "1000000", "x"}).plan().cleanup_retries == 1'000'000);
        CHECK(CommandLine({"--cleanup-retries", "1000001", "x"}).error() ==
              "--cleanup-retries: 1000001: it takes a number from 0 to 1000000");
    }

    TEST_CASE("rewritten signals are two of signal(7), or one and nothing") {
        const auto rewrites =
            CommandLine({"--rewrite", "TERM:QUIT", "--rewrite=hup:0,10:SIGUSR2", "--rewrite", "TERM:INT", "x"})
                .plan()
                .rewrites;
        CHECK(rewrites.size() == 4);
        CHECK(plan::passed_on_as(rewrites, SIGTERM) == SIGINT); // the last one counts
        CHECK(plan::passed_on_as(rewrites, SIGHUP) == 0);
        CHECK(plan::passed_on_as(rewrites, SIGUSR1) == SIGUSR2);
        CHECK(plan::passed_on_as(rewrites, SIGUSR2) == SIGUSR2);
        for (const auto* word : {"TERM", ":", "TERM:", ":TERM", "0:TERM", "TERM:NOPE", "15:15:15", "TERM:QUIT,",
                                 ",TERM:QUIT", "TERM:00", "-15:1", "TERM:99"}) {
            CAPTURE(word);
            CHECK(CommandLine({"--rewrite", word, "x"}).error() ==
                  "--rewrite: " + std::string(word) + ": it takes two signals, as in TERM:QUIT, or TERM:0 to drop one");
        }
        CHECK(CommandLine({"--rewrite", "KILL:TERM", "x"}).error().find("cannot be caught") != std::string::npos);
        CHECK(CommandLine({"--rewrite", "STOP:0", "x"}).error().find("cannot be caught") != std::string::npos);
        CHECK(CommandLine({"--rewrite", "TERM:KILL", "x"}).error().empty());
    }

    TEST_CASE("a variable has the name of a variable") {
        CHECK(CommandLine({"--temp-dir", "_W0rk", "x"}).plan().steps.at(0).text == "_W0rk");
        for (const auto* name : {"1W", "W=x", "W-x", "$W", "W ", "\xc3\xa4"}) {
            CAPTURE(name);
            CHECK(CommandLine({"--temp-dir", name, "x"}).error().find("a variable's name has letters") !=
                  std::string::npos);
        }
    }

    TEST_CASE("a lock with a colon and no slash before it is at an engine") {
        CHECK(CommandLine({"-l", "etcd:deploy", "x"}).plan().locks.at(0).is_at_engine());
        CHECK(CommandLine({"-l", "ssh:host/x", "x"}).plan().locks.at(0).is_at_engine());
        CHECK(CommandLine({"-l", "./etcd:deploy", "x"}).plan().locks.at(0).is_path());
        for (const char* const name : {":", ":x", "a b:x", "a.b:x"}) {
            CAPTURE(name);
            CHECK(CommandLine({"-l", name, "x"}).error().find("ENGINE:NAME has an ENGINE of letters") !=
                  std::string::npos);
        }
        for (const char* const name : {"a:", "a:-x", "a:x\ny"}) {
            CAPTURE(name);
            CHECK(CommandLine({"-l", name, "x"}).error().find("the NAME of ENGINE:NAME is not empty") !=
                  std::string::npos);
        }
        CHECK(CommandLine({"-l", "a:" + std::string(84, '/'), "x"}).plan().locks.size() == 1);
        CHECK(CommandLine({"-l", "a:" + std::string(85, '/'), "x"}).error().find("at most 255 bytes") !=
              std::string::npos);
    }

    TEST_CASE("the lock of a vanished machine is kept for a second up to a day") {
        CHECK(CommandLine({"x"}).plan().lock_ttl == std::chrono::seconds(30));
        CHECK(CommandLine({"--lock-ttl", "1m", "x"}).plan().lock_ttl == std::chrono::seconds(60));
        for (const char* const ttl : {"0", "999ms", "1d1s"}) {
            CHECK(CommandLine({"--lock-ttl", ttl, "x"}).error().find("from 1s to 1d") != std::string::npos);
        }
    }

    TEST_CASE("a lock without a slash has no dot in front and fits a file name") {
        CHECK(CommandLine({"-l", ".x", "x"}).error() ==
              "--lock: .x: a lock's name does not begin with a dot; a path has a slash, as in ./NAME");
        CHECK(CommandLine({"--lock-shared", "..", "x"}).error().starts_with("--lock-shared: ..: "));
        CHECK(CommandLine({"-l", std::string(256, 'x'), "x"}).error().ends_with("a lock's name has at most 255 bytes"));
        CHECK(CommandLine({"-l", std::string(255, 'x'), "x"}).plan().locks.size() == 1);
        CHECK(CommandLine({"-l", "./" + std::string(256, 'x'), "x"}).plan().locks.size() == 1);
    }

    TEST_CASE("an error is one line, whatever the word") {
        for (const Words& words : {Words{"--a\nb\x1b[31m"}, Words{"-\n"}, Words{"-k", "a\nb\x1b[31m", "x"},
                                   Words{"--quiet=\n"}, Words{"-\xff"}, Words{"-l", ".\n"}}) {
            const auto error = CommandLine(words).error();
            CAPTURE(error);
            CHECK_FALSE(error.empty());
            CHECK(error.find_first_of("\n\x1b\xff") == std::string::npos);
        }
    }

    TEST_CASE("an error stays short, and says what is allowed, whatever the length of the word") {
        const auto error = CommandLine({"--ci", std::string(100000, 'x'), "make"}).error();
        CHECK(error.size() < 200);
        CHECK(error.ends_with("...: it takes auto|github|gitlab|none"));
        CHECK(CommandLine({"--" + std::string(100000, 'x')}).error().size() < 200);
        CHECK(CommandLine({"-l", "." + std::string(100000, 'x'), "make"}).error().size() < 200);
    }

    TEST_CASE("a mistyped option is answered with the nearest") {
        CHECK(CommandLine({"--clenup", "x", "make"}).error() == "unknown option: --clenup: did you mean --cleanup?");
        CHECK(CommandLine({"--clenup=x", "make"}).error() == "unknown option: --clenup: did you mean --cleanup?");
        CHECK(CommandLine({"-quiet", "make"}).error() == "unknown option: -quiet: did you mean --quiet?");
        CHECK(CommandLine({"--zzz", "make"}).error() == "unknown option: --zzz: see finally-run --help");
        CHECK(CommandLine({"-qz", "make"}).error() == "unknown option: -qz: see finally-run --help");
        CHECK(CommandLine({"--=x", "make"}).error() == "unknown option: --: see finally-run --help");
    }

    TEST_CASE("help and version win over what follows them and over the environment") {
        const auto help = CommandLine({"-q", "--help", "--bogus", "-k", "soon"}, {"FINALLY_RUN_GRACE=bad"}).parse();
        CHECK(std::get<cli::ShowHelp>(help).text.starts_with("Usage: finally-run"));
        CHECK(std::holds_alternative<cli::ShowVersion>(CommandLine({"--version", "make"}).parse()));
        CHECK(std::holds_alternative<cli::ShowHelp>(CommandLine({"-h"}).parse()));
        CHECK(std::holds_alternative<cli::ShowHelp>(CommandLine({"-qh", "--bogus"}).parse()));
        CHECK(CommandLine({"-ch", "make"}).plan().steps.at(0).text == "h");
        CHECK(CommandLine({"make", "--help"}).command() == Words{"make", "--help"});
    }
}
