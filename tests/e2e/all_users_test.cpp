// --status --all-users: root sees the runs of every user, with the rights of each.
#include "guard.hpp"
#include "support/needs.hpp"

#include <nlohmann/json.hpp>

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <sched.h>
#include <stdexcept>

namespace finally_run::e2e {
namespace {

constexpr uid_t ada = 70001;
constexpr uid_t eve = 70002;

// In a mount namespace of its own /etc/passwd is ours, with homes in the directory of the case.
void with_users() {
    if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount((case_dir() / "passwd").c_str(), "/etc/passwd", nullptr, MS_BIND, nullptr) != 0)
        ::_exit(99);
}

void as(uid_t uid) {
    if (::setgid(uid) != 0 || ::setuid(uid) != 0)
        ::_exit(99);
}

fs::path home_of(const std::string& name) { return case_dir() / name; }

void make_users() {
    ::chmod(case_dir().c_str(), 0755);
    std::string passwd = "root:x:0:0::" + (case_dir() / "home").string() + ":/bin/sh\n";
    for (const auto& [name, uid] : {std::pair{"ada", ada}, {"eve", eve}}) {
        const std::string id = std::to_string(uid);
        passwd.append(name).append(":x:" + id + ":" + id + "::" + home_of(name).string() + ":/bin/sh\n");
        fs::create_directory(home_of(name));
        if (::chown(home_of(name).c_str(), uid, uid) != 0)
            throw std::runtime_error("chown");
    }
    write_file(case_dir() / "passwd", passwd);
}

Run run_of(const std::string& name, uid_t uid, std::vector<std::string> args) {
    Run run(std::move(args));
    run.env("HOME", home_of(name)).env("XDG_STATE_HOME", "").cwd(home_of(name)).before_exec([uid] { as(uid); });
    return run;
}

Outcome all_users(std::vector<std::string> more = {}) {
    more.insert(more.begin(), {"--status", "--all-users"});
    return Run(more).before_exec(with_users).run();
}

// Of our two.
nlohmann::json places() {
    auto all = nlohmann::json::parse(all_users({"--json"}).out).at("places");
    nlohmann::json ours;
    std::ranges::copy_if(all, std::back_inserter(ours), [](const auto& place) { return place.at("user") != "root"; });
    return ours;
}

bool is_root() { return test::needs(::geteuid() == 0, "root"); }

TEST_CASE("root sees the runs and locks of all users that have some and who they are") {
    if (!is_root())
        return;
    make_users();
    CHECK(places().empty());
    auto adas = run_of("ada", ada, {"-l", "l", "-c", "true", "--", "helper", "pause"}).start();
    adas.wait_for_line("READY");
    run_of("eve", eve, {"-c", "exit 7", "--", "true"}).run();
    const auto all = places();
    REQUIRE(all.size() == 2);
    CHECK(all.at(0).at("user") == "ada");
    CHECK(all.at(0).at("state_dir") == (home_of("ada") / ".local/state/finally-run").string());
    CHECK(all.at(0).at("runs").at(0).at("pid") == adas.pid());
    CHECK(all.at(0).at("locks").at(0).at("holders").at(0).at("pid") == adas.pid());
    CHECK(all.at(1).at("user") == "eve");
    CHECK(all.at(1).at("runs").at(0).at("state") == "failed");
    const std::string text = all_users().out;
    CHECK(text.find("runs of ada on ") != std::string::npos);
    CHECK(text.find("runuser -u eve -- finally-run --state-dir ") != std::string::npos);
    adas.signal(SIGTERM);
    adas.finish();
}

TEST_CASE("for the status of all users no link of a user is followed and nothing is changed") {
    if (!is_root())
        return;
    make_users();
    run_of("ada", ada, {"-c", "exit 7", "--", "true"}).run();
    // eve offers ada's directory, and a journal that is a link to a file of root's.
    fs::create_directories(home_of("eve") / ".local");
    fs::create_symlink(home_of("ada") / ".local/state", home_of("eve") / ".local/state");
    REQUIRE(places().size() == 1);
    CHECK(places().at(0).at("user") == "ada");
    fs::remove_all(home_of("eve") / ".local");
    run_of("eve", eve, {"-c", "exit 7", "--", "true"}).run();
    const fs::path runs = home_of("eve") / ".local/state/finally-run/.runs";
    for (const auto& entry : fs::directory_iterator(runs))
        fs::remove_all(entry.path());
    write_file(case_dir() / "secret", "of root's", 0600);
    fs::create_symlink(case_dir() / "secret", runs / "20260101T000000-aaaaaaaa.journal");
    const fs::path of_none = runs / ".told/+/20260101T000000-bbbbbbbb";
    fs::create_directories(of_none.parent_path());
    write_file(of_none, "");
    const std::string text = all_users().out;
    CHECK(text.find("of root's") == std::string::npos);
    CHECK(text.find("damaged") != std::string::npos);
    CHECK(fs::exists(of_none));
}

TEST_CASE("a directory of one user that cannot be looked at is said and the other users follow") {
    if (!is_root())
        return;
    make_users();
    run_of("ada", ada, {"-c", "exit 7", "--", "true"}).run();
    run_of("eve", eve, {"-c", "exit 7", "--", "true"}).run();
    fs::permissions(home_of("ada") / ".local/state/finally-run", fs::perms(0755));
    const auto outcome = all_users();
    CHECK(outcome.status == 0);
    CHECK(outcome.out.find("must have mode 0700") != std::string::npos);
    CHECK(outcome.out.find("runs of eve on ") != std::string::npos);
}

TEST_CASE("who is not root is refused the status of all users") {
    const auto refused =
        Run({"--status", "--all-users"}).before_exec([] { ::geteuid() == 0 ? as(eve) : void(); }).run();
    CHECK(refused.status == 125);
    CHECK(refused.err == "finally-run: --all-users: only root may look into other users' directories: leave it out\n");
}

} // namespace
} // namespace finally_run::e2e
