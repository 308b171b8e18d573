#include "run/kept_environment.hpp"

#include "os/ci.hpp"

#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace finally_run;

namespace {

using Strings = std::vector<std::string>;

run::KeptEnvironment keep(Strings environment, const Strings& patterns = {}) {
    std::vector<char*> block;
    for (std::string& entry : environment) {
        block.push_back(entry.data());
    }
    block.push_back(nullptr);
    return run::kept_environment(block.data(), patterns);
}

} // namespace

TEST_CASE("a run leaves its environment to recovery") {
    const Strings all{"PATH=/bin",
                      "KUBECONFIG=/k",
                      "AWS_PROFILE=staging",
                      "COMPOSE_PROJECT_NAME=a b\nc \xff",
                      "FINALLY_RUN_STATE_DIR=/s",
                      "EMPTY=",
                      "AWS_ACCESS_KEY_ID=public",
                      "PWD=/w",
                      "KEYBOARD=de",
                      "PASSAGE=1"};
    CHECK(keep(all).entries == all);
    CHECK(keep(all).withheld.empty());
    CHECK(keep({"no equals sign", "=x"}).entries.empty());
}

TEST_CASE("what looks like a secret by its name is withheld in whatever case and named") {
    for (const std::string name :
         {"GITHUB_TOKEN", "npm_config__authToken", "CLIENT_SECRET_FILE", "MYSQL_PASSWORD", "PASSWD", "GPG_PASSPHRASE",
          "GOOGLE_APPLICATION_CREDENTIALS", "AWS_SECRET_ACCESS_KEY", "DATADOG_APIKEY", "X_API_KEY_2",
          "SSH_PRIVATE_KEY_PEM", "DEPLOY_KEY", "DB_PASS", "MYSQL_PWD", "GH_PAT", "SESSION_COOKIE"}) {
        CAPTURE(name);
        const auto kept = keep({name + "=hidden"});
        CHECK(kept.entries.empty());
        CHECK(kept.withheld == Strings{name});
    }
}

TEST_CASE("what belongs to a terminal or a shell or by which CI hunts leftovers is not kept") {
    CHECK(keep({"TERM=x", "DISPLAY=:0", "SHLVL=1", "_=x", "OLDPWD=/", "TMUX=1"}).entries.empty());
    CHECK(keep({"TERM=x"}).withheld.empty());
    for (const std::string marker : os::leftover_markers) {
        CHECK(keep({marker + "=1"}, {"*"}).entries.empty());
        CHECK(keep({marker + "=1"}).withheld.empty());
    }
}

TEST_CASE("patterns keep secrets too") {
    const Strings some{"DEPLOY_TOKEN=1", "OTHER_TOKEN=2", "A=3", "TERM=x"};
    CHECK(keep(some, {"DEPLOY_*"}).entries == Strings{"DEPLOY_TOKEN=1", "A=3"});
    CHECK(keep(some, {"DEPLOY_*"}).withheld == Strings{"OTHER_TOKEN"});
    CHECK(keep(some, {"*"}).entries == some);
}

TEST_CASE("with none among the patterns only what every program needs is kept and what the others name") {
    const Strings some{"PATH=/bin", "LC_ALL=C",      "XDG_STATE_HOME=/x", "LANGUAGE=de",
                       "XDG=1",     "KUBECONFIG=/k", "X_TOKEN=1"};
    CHECK(keep(some, {"none"}).entries == Strings{"PATH=/bin", "LC_ALL=C", "XDG_STATE_HOME=/x"});
    CHECK(keep(some, {"none"}).withheld == Strings{"X_TOKEN"});
    CHECK(keep(some, {"none", "KUBE*"}).entries ==
          Strings{"PATH=/bin", "LC_ALL=C", "XDG_STATE_HOME=/x", "KUBECONFIG=/k"});
}
