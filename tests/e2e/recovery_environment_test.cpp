// The environment of a recovered cleanup: that of its run, and secrets from whoever recovers.
#include "guard.hpp"

namespace finally_run::e2e {
namespace {

// What a program like kubectl or docker compose looks at to find out which cluster it is to clean.
const char* const cluster = "echo $KUBECONFIG $AWS_PROFILE $COMPOSE_PROJECT_NAME ${AWS_SECRET_ACCESS_KEY-no key} >>log";

Run in_staging(std::vector<std::string> args) {
    args.insert(args.end(), {"--", "helper", "pause"});
    return Run(std::move(args))
        .env("KUBECONFIG", "/staging/kube")
        .env("AWS_PROFILE", "staging")
        .env("COMPOSE_PROJECT_NAME", "a  b\nc \xff")
        .env("AWS_SECRET_ACCESS_KEY", "never-on-disk");
}

Run recover_in_production() {
    return Run({"--recover"})
        .env("KUBECONFIG", "/production/kube")
        .env("AWS_PROFILE", "production")
        .env("COMPOSE_PROJECT_NAME", "x");
}

bool is_on_disk(std::string_view text) {
    for (const auto& entry : fs::recursive_directory_iterator(state_dir())) {
        if (entry.is_regular_file() && read_file(entry.path()).find(text) != std::string::npos)
            return true;
    }
    return false;
}

TEST_CASE("a recovered cleanup cleans up where its run worked, whatever whoever recovers has set") {
    const auto left = leave_unfinished(in_staging({"-c", cluster}));
    const auto outcome = recover_in_production().env("AWS_SECRET_ACCESS_KEY", "of-the-other").run();
    CHECK(outcome.status == 0);
    CHECK(log_text() == "/staging/kube staging a b c \xff of-the-other\n");
    CHECK(outcome.err.find("not set here") == std::string::npos);
}

TEST_CASE("a secret is not on the disk, and a recovery without it names it before a cleanup runs") {
    const auto left =
        leave_unfinished(in_staging({"-c", std::string("echo runs; ") + cluster}).env("X_TOKEN", "nor-this"));
    CHECK(is_on_disk("/staging/kube"));
    CHECK_FALSE(is_on_disk("never-on-disk"));
    CHECK_FALSE(is_on_disk("nor-this"));
    const auto outcome = recover_in_production().run();
    const auto named = outcome.err.find("not set here");
    REQUIRE_MESSAGE(named != std::string::npos, outcome.err);
    CHECK(outcome.err.find("AWS_SECRET_ACCESS_KEY") != std::string::npos);
    CHECK(outcome.err.find("X_TOKEN") != std::string::npos);
    CHECK(named < outcome.err.find("runs"));
    CHECK(log_text() == "/staging/kube staging a b c \xff no key\n");
}

TEST_CASE("an empty environment recovers too, with the variables of the run") {
    const auto left = leave_unfinished(in_staging({"-c", cluster}));
    const auto outcome = Run::of({"env", "-i", binary(), "--state-dir", state_dir(), "--recover"}).run();
    CHECK(outcome.status == 0);
    CHECK(log_text() == "/staging/kube staging a b c \xff no key\n");
    CHECK(outcome.err.find("AWS_SECRET_ACCESS_KEY") != std::string::npos);
}

TEST_CASE("a cleanup that fails for want of a secret stays and succeeds once that is set") {
    const auto left = leave_unfinished(in_staging({"-c", "test -n \"$AWS_SECRET_ACCESS_KEY\" && touch cleaned"}));
    CHECK(recover_in_production().run().status == 120);
    CHECK_FALSE(fs::exists(work("cleaned")));
    CHECK(recover_in_production().env("AWS_SECRET_ACCESS_KEY", "x").run().status == 0);
    CHECK(fs::exists(work("cleaned")));
}

TEST_CASE("a cleanup with a secret that is not set here is not begun with nothing in its place but stays") {
    const auto left =
        leave_unfinished(in_staging({"-c", "echo other >>log", "-c", "echo \"key $AWS_SECRET_ACCESS_KEY\" >>log"}));
    const auto without = recover_in_production().run();
    CHECK(without.status == 120);
    CHECK_MESSAGE(without.err.find("AWS_SECRET_ACCESS_KEY is not set here") != std::string::npos, without.err);
    CHECK(log_text() == "other\n");
    const auto with = recover_in_production().env("AWS_SECRET_ACCESS_KEY", "").run();
    CHECK_MESSAGE(with.status == 0, with.err);
    CHECK(log_text() == "other\nkey \n"); // set to nothing is set
}

TEST_CASE("what is kept by its name is the run's own, secret or not, and none leaves the rest out") {
    static_cast<void>(leave_unfinished(in_staging({"--keep-env", "AWS_SECRET_*", "-c", cluster})));
    CHECK(recover_in_production().run().status == 0);
    CHECK(log_text() == "/staging/kube staging a b c \xff never-on-disk\n");
    fs::remove(work("log"));
    static_cast<void>(leave_unfinished(in_staging({"--keep-env", "none", "-c", cluster})));
    CHECK_FALSE(is_on_disk("/staging/kube"));
    CHECK(recover_in_production().run().status == 0);
    CHECK(log_text() == "no key\n");
}

TEST_CASE("a recovered cleanup is given nothing of the terminal or the shell of its run") {
    const auto left = leave_unfinished(Run({"-c", "echo ${TERM-none} ${DISPLAY-none} >>log", "--", "helper", "pause"})
                                           .env("TERM", "xterm")
                                           .env("DISPLAY", ":0"));
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(log_text() == "none none\n");
}

TEST_CASE("an environment of two megabytes comes back whole") {
    Run run({"-c", "test ${#B1} = 100000 && test ${#B20} = 100000 && touch cleaned", "--", "helper", "pause"});
    for (int i = 1; i <= 20; ++i)
        run.env("B" + std::to_string(i), std::string(100'000, '\n'));
    const auto left = leave_unfinished(run);
    CHECK(Run({"--recover"}).run().status == 0);
    CHECK(fs::exists(work("cleaned")));
}

} // namespace
} // namespace finally_run::e2e
