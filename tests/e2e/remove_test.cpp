// --remove and --temp-dir: cleanups without a shell.
#include "guard.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

namespace finally_run::e2e {
namespace {

TEST_CASE("remove takes away a file and a tree and does not mind what is missing") {
    write_file(work("file"), "x");
    fs::create_directories(work("tree/a/b/c"));
    write_file(work("tree/a/b/file"), "x");
    const auto outcome = Run({"--strict", "-r", "file", "-r", work("tree").string(), "-r", "missing", "-r",
                              "no/such/parent", "--", "ls"})
                             .run();
    CHECK(outcome.status == 0);
    CHECK(outcome.out == "file\ntree\n");
    CHECK(outcome.err.empty());
    CHECK(fs::is_empty(work()));
}

TEST_CASE("a path with a dollar sign that is not there is taken as it stands and that is said") {
    write_file(work("$literal"), "");
    const auto outcome = Run({"--temp-dir", "WORK", "--remove", "$WORK/x", "--remove", "$literal", "--", "true"}).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err == "finally-run: remove: $WORK/x: $ means nothing in a PATH, and there is no such one now\n");
    CHECK_FALSE(fs::exists(work("$literal")));
}

TEST_CASE("remove does not follow symbolic links") {
    fs::create_directories(case_dir() / "precious");
    write_file(case_dir() / "precious/file", "x");
    fs::create_directory(work("tree"));
    fs::create_symlink(case_dir() / "precious", work("tree/link"));
    fs::create_symlink(case_dir() / "precious", work("link"));
    CHECK(Run({"--strict", "-r", "tree", "-r", "link", "--", "true"}).run().status == 0);
    CHECK(fs::is_empty(work()));
    CHECK(fs::exists(case_dir() / "precious/file"));
}

TEST_CASE("a relative path counts from the directory of the start") {
    fs::create_directory(work("elsewhere"));
    write_file(work("elsewhere/file"), "x");
    write_file(work("file"), "x");
    CHECK(Run({"-r", "file", "--", "sh", "-c", "cd elsewhere"}).run().status == 0);
    CHECK(fs::exists(work("elsewhere/file")));
    CHECK_FALSE(fs::exists(work("file")));
}

TEST_CASE("paths with blanks and odd bytes are removed without a shell in between") {
    for (const char* name : {"two words", "$(touch pwned)", "-rf", "line\nbreak", "\xff\xfe", "*"}) {
        write_file(work(name), "x");
        CHECK(Run({"--strict", "-r", name, "--", "true"}).run().status == 0);
    }
    CHECK(fs::is_empty(work()));
}

TEST_CASE("the root, the home directory and the state directory are refused before anything starts") {
    fs::create_directories(state_dir());
    fs::permissions(state_dir(), fs::perms::owner_all);
    for (const std::string& path :
         {std::string("/"), (case_dir() / "home").string(), (case_dir() / "home/").string(),
          (case_dir() / "home/.").string(), state_dir().string(), std::string("//"), std::string("")}) {
        CAPTURE(path);
        const auto outcome = Run({"-r", path, "--", "echo", "ran"}).run();
        CHECK(outcome.status == 125);
        CHECK(outcome.out.empty());
        CHECK(lines(outcome.err).size() == 1);
    }
    CHECK(fs::exists(case_dir() / "home"));
}

TEST_CASE("a directory with the home directory in it is refused too") {
    const auto outcome = Run({"-r", case_dir().string(), "--", "true"}).run();
    CHECK(outcome.status == 125);
    CHECK(fs::exists(case_dir() / "home"));
}

TEST_CASE("a parent that has become a link since the start leads no removal away") {
    const std::string home = (case_dir() / "home").string();
    const std::string lead_away = "rm -r build; ln -s '" + case_dir().string() + "' build";
    fs::create_directory(work("build"));
    const auto outcome = Run({"--strict", "-r", "build/home", "--", "sh", "-c", lead_away}).run();
    CHECK(outcome.status == 120);
    CHECK(outcome.err.find("remove: build/home: build: has become a symbolic link") != std::string::npos);
    CHECK(fs::exists(home));

    SUBCASE("nor that of the guardian") {
        fs::remove(work("build"));
        fs::create_directory(work("build"));
        auto killed =
            Run({"-r", "build/home", "--", "sh", "-c", lead_away + "; kill -9 $PPID; exec helper pause"}).start();
        const auto end = finish_with_guardian(killed);
        CHECK(end.err.find("build: has become a symbolic link") != std::string::npos);
        CHECK(fs::exists(home));
    }
    SUBCASE("nor that of recovery") {
        fs::remove(work("build"));
        fs::create_directory(work("build"));
        static_cast<void>(
            leave_unfinished(Run({"-r", "build/home", "--", "sh", "-c", lead_away + "; exec helper pause"})));
        CHECK(Run({"--recover"}).run().err.find("build: has become a symbolic link") != std::string::npos);
        CHECK(fs::exists(home));
    }
}

TEST_CASE("what has become the home or the state directory since the start is not removed, by whomever") {
    fs::create_directories(state_dir());
    fs::permissions(state_dir(), fs::perms::owner_all);
    fs::create_directory(work("tree"));
    write_file(case_dir() / "home/file", "x");
    const std::string move = "mv '" + (case_dir() / "home").string() + "' tree; ln -s work/tree/home '" +
                             (case_dir() / "home").string() + "'";
    SUBCASE("finally-run") {
        const auto outcome = Run({"--strict", "-r", "tree", "--", "sh", "-c", move}).run();
        CHECK(outcome.status == 120);
        CHECK(outcome.err.find("contains the home directory") != std::string::npos);
    }
    SUBCASE("guardian") {
        auto killed = Run({"-r", "tree", "--", "sh", "-c", move + "; kill -9 $PPID; exec helper pause"}).start();
        CHECK(finish_with_guardian(killed).err.find("contains the home directory") != std::string::npos);
    }
    SUBCASE("recovery") {
        static_cast<void>(leave_unfinished(Run({"-r", "tree", "--", "sh", "-c", move + "; exec helper pause"})));
        CHECK(Run({"--recover"}).env("HOME", "/nonexistent").run().err.find("contains the home directory") !=
              std::string::npos);
    }
    CHECK(fs::exists(work("tree/home/file")));
}

TEST_CASE("what lies in the state directory is refused before anything starts") {
    const auto outcome = Run({"-r", (state_dir() / ".runs").string(), "--", "echo", "ran"}).run();
    CHECK(outcome.status == 125);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.find("lies in the state directory") != std::string::npos);
}

TEST_CASE("links in the path that were there at the start are followed, and directories may be made anew") {
    fs::create_directories(work("build/sub"));
    fs::create_directory_symlink("build", work("link"));
    CHECK(Run({"--strict", "-r", "link/sub", "-r", "build/file", "--", "sh", "-c",
               "rm -r build; mkdir build build/sub; touch build/file"})
              .run()
              .status == 0);
    CHECK(fs::is_empty(work("build")));
    CHECK(fs::is_symlink(work("link")));
}

TEST_CASE("another user's entry is not removed and the cleanup has failed") {
    if (::geteuid() != 0)
        return;
    fs::create_directory(work("tree"));
    write_file(work("tree/theirs"), "x");
    write_file(work("tree/ours"), "x");
    REQUIRE(::chown(work("tree/theirs").c_str(), 54321, 54321) == 0);
    const auto outcome = Run({"--strict", "-r", "tree", "--", "true"}).run();
    CHECK(outcome.status == 120);
    CHECK(fs::exists(work("tree/theirs")));
    CHECK(outcome.err.find("finally-run: ") == 0);
}

TEST_CASE("a mount point is not emptied and the cleanup has failed") {
    fs::create_directories(work("tree/mount"));
    const auto outcome = Run::of(unshare({"-m"}, {"sh", "-c",
                                                  "mount -t tmpfs none tree/mount && touch tree/mount/precious && "
                                                  "finally-run --strict -r tree -- true; echo $?; ls tree/mount"}))
                             .run();
    CHECK(outcome.out == "120\nprecious\n");
}

TEST_CASE("remove copes with directories that may not be written") {
    fs::create_directories(work("tree/closed"));
    write_file(work("tree/closed/file"), "x");
    fs::permissions(work("tree/closed"), fs::perms::none);
    const auto outcome = Run({"--strict", "-r", "tree", "--", "true"}).before_exec(without_root_powers).run();
    CHECK(outcome.status == 0);
    CHECK_FALSE(fs::exists(work("tree")));
}

TEST_CASE("remove copes with a tree deeper than a path can be long") {
    const auto made = Run::script("for i in $(seq 300); do mkdir a-rather-long-name-for-a-directory && cd "
                                  "a-rather-long-name-for-a-directory; done")
                          .run();
    REQUIRE(made.status == 0);
    CHECK(Run({"--strict", "-r", "a-rather-long-name-for-a-directory", "--", "true"}).run().status == 0);
    CHECK(fs::is_empty(work()));
}

TEST_CASE("temp-dir makes a private directory that later steps and the command and cleanups know, and removes it") {
    const auto outcome =
        Run({"-c", "echo ${T-unset}; ls -d \"$T\" 2>/dev/null; true", "--temp-dir", "T", "-s", "echo \"$T\"", "-c",
             R"(echo "$T")", "--", "sh", "-c", R"(echo "$T"; stat -c %a "$T"; touch "$T/file")"})
            .before_exec([] { ::umask(0); })
            .run();
    CHECK(outcome.status == 0);
    const auto out = lines(outcome.out);
    const auto err = lines(outcome.err);
    REQUIRE(out.size() == 2);
    CHECK(out[1] == "700");
    CHECK(fs::path(out[0]).parent_path() == case_dir() / "tmp");
    REQUIRE(err.size() >= 2);
    CHECK(err[0] == out[0]);
    CHECK(err[1] == out[0]);
    CHECK_FALSE(fs::exists(out[0]));
}

TEST_CASE("temp-dir can be used by its owner alone under every umask, and goes") {
    const auto run = Run({"--strict", "--temp-dir", "T", "--", "sh", "-c", "stat -c %a \"$T\""}).before_exec([] {
        ::umask(0777);
        without_root_powers();
    });
    const auto outcome = run.run();
    CHECK(outcome.status == 0);
    CHECK(outcome.out == "700\n");
    CHECK(fs::is_empty(case_dir() / "tmp"));
}

TEST_CASE("temp-dir goes although its content may not be written") {
    const auto outcome =
        Run({"--strict", "--temp-dir", "T", "--", "sh", "-c",
             "mkdir -p ${T:?}/a/b && touch $T/a/b/file && chmod 0 $T/a/b/file && chmod 0500 $T/a/b && chmod 0 $T/a"})
            .before_exec(without_root_powers)
            .run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err.empty());
    CHECK(fs::is_empty(case_dir() / "tmp"));
}

TEST_CASE("temp-dir goes although another user owns things in it") {
    if (::geteuid() != 0)
        return;
    const auto outcome = Run({"--strict", "--temp-dir", "T", "--", "sh", "-c",
                              "mkdir -p ${T:?}/d/e; touch $T/f $T/d/e/f; chown -R 54321 $T/f $T/d"})
                             .run();
    CHECK(outcome.status == 0);
    CHECK(outcome.err.empty());
    CHECK(fs::is_empty(case_dir() / "tmp"));
}

TEST_CASE("temp-dir works in a directory with the set-group-ID bit, which it inherits") {
    REQUIRE(::chmod((case_dir() / "tmp").c_str(), 02777) == 0);
    const auto outcome = Run({"--strict", "--temp-dir", "T", "--", "sh", "-c", "stat -c %a \"$T\""}).run();
    CHECK(outcome.status == 0);
    CHECK(outcome.out == "2700\n");
    CHECK(fs::is_empty(case_dir() / "tmp"));
}

TEST_CASE("several temp-dirs are several directories") {
    const auto outcome = Run({"--temp-dir", "A", "--temp-dir", "B", "--", "sh", "-c",
                              R"(test -d "${A:?}" && test -d "${B:?}" && test $A != $B)"})
                             .run();
    CHECK(outcome.status == 0);
    CHECK(fs::is_empty(case_dir() / "tmp"));
}

TEST_CASE("without a place for a temp-dir nothing starts and what came before is cleaned up") {
    const auto outcome =
        Run({"-c", "echo left", "--temp-dir", "T", "--", "echo", "ran"}).env("TMPDIR", work("missing")).run();
    CHECK(outcome.status == 125);
    CHECK(outcome.out.empty());
    CHECK(has_line(outcome.err, "left"));
}

TEST_CASE("the temp-dir goes when the run is stopped") {
    auto process = Run({"--temp-dir", "T", "--", "helper", "pause"}).start();
    process.wait_for_line("READY");
    CHECK_FALSE(fs::is_empty(case_dir() / "tmp"));
    process.signal(SIGTERM);
    process.finish();
    CHECK(fs::is_empty(case_dir() / "tmp"));
}

} // namespace
} // namespace finally_run::e2e
