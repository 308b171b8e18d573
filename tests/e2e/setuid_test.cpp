// A copy of the program that has root's rights whoever starts it.
#include "harness.hpp"

#include "support/needs.hpp"

#include <sys/stat.h>
#include <unistd.h>

namespace finally_run::e2e {
namespace {

TEST_CASE("where whoever starts it has fewer rights no variable tells where it writes or what recovery is given") {
    if (!test::needs(::geteuid() == 0, "the right to give rights away"))
        return;
    fs::permissions(case_dir(), fs::perms(0755));
    fs::permissions(work(), fs::perms(0777));
    for (const char* name : {"named", "xdg", "runtime", "home"})
        fs::create_directory(work(name));
    fs::copy_file(binary(), work("run"));
    REQUIRE(::chmod(work("run").c_str(), 04755) == 0);
    // /var/tmp is of this run alone. A shell would give up the rights that it was not started with; env does not.
    const auto outcome = Run::of(unshare({"-m"}, {"sh", "-c",
                                                  "mount -t tmpfs -o mode=1777 none /var/tmp && exec setpriv "
                                                  "--reuid=65534 --regid=65534 --clear-groups ./run -v --keep-env '*' "
                                                  "-c true -- find /var/tmp -name '*.journal' -exec cat {} +"}))
                             .env("FINALLY_RUN_STATE_DIR", work("named"))
                             .env("FINALLY_RUN_GRACE", "nonsense")
                             .env("XDG_STATE_HOME", work("xdg"))
                             .env("XDG_RUNTIME_DIR", work("runtime"))
                             .env("HOME", work("home"))
                             .run();
    CHECK_MESSAGE(outcome.status == 0, outcome.err);
    CHECK(has_line(outcome.err, "finally-run: state directory: /var/tmp/finally-run-0"));
    CHECK(outcome.out.find("LC_ALL=C") != std::string::npos); // the journal was found
    CHECK(outcome.out.find("FINALLY_RUN_") == std::string::npos);
    for (const char* name : {"named", "xdg", "runtime", "home"})
        CHECK(fs::is_empty(work(name)));
}

} // namespace
} // namespace finally_run::e2e
