// A journal that cannot be read from one of its records on while its run lives (EIO, no memory), then the end of
// whoever works on it: each cleanup that was acknowledged has run, or recovery runs it. The command is gone before.
#include "guard.hpp"

#include "support/hardship.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <functional>

namespace finally_run::e2e {
namespace {

constexpr int deferrals = 4;

// Its records reach from the 1st KiB to the 20th. Who cannot look at processes takes a zombie for one that lives, and
// waits the grace period for it.
Run run_with_large_records() {
    return Run({"-l", "l", "-k", "1", "-c", witness, "--", "sh", "-c",
                "pad=$(head -c 5000 /dev/zero | tr '\\0' x); for n in 1 2 3 4; do finally-run --defer \"echo did $n "
                ">>log; : $pad\" && echo $n >>acknowledged; done; echo $$ >pid; exec helper pause"});
}

void check_all_done() {
    CHECK(leftovers().empty());
    CHECK_FALSE(alive(pid_in("pid")));
    CHECK(log_text().find("alive") == std::string::npos);
    CHECK(log_text().find("unlocked") == std::string::npos);
    CHECK(log_text().find("cleaned by ") != std::string::npos);
    CHECK(lines(read_file(work("acknowledged"))).size() == deferrals);
    for (int n = 1; n <= deferrals; ++n) {
        CHECK_MESSAGE(count(log_text(), "did " + std::to_string(n) + "\n") == 1, n);
    }
    CHECK(run_files().empty());
}

using End = std::function<Outcome(Process& run)>;

Outcome stop(Process& run) {
    run.signal(SIGTERM);
    return run.finish();
}

Outcome kill_guardian_and_supervisor(Process& run) {
    const pid_t first = guardian_of(run.pid());
    ::kill(first, SIGKILL);
    static_cast<void>(guardian_of(run.pid(), first));
    return kill_supervisor(run);
}

// What could not be done is left, and said: then recovery, which is not troubled, does it. Whether something was left.
bool end_and_recover(Process& run, const End& end, std::string_view trouble) {
    const auto outcome = end(run);
    const bool left = !run_files().empty();
    if (left) {
        CHECK_MESSAGE(outcome.err.find(trouble) != std::string::npos, outcome.err);
        const auto recovery = Run({"--recover"}).run();
        CHECK_MESSAGE(recovery.status == 0, recovery.err);
    }
    check_all_done();
    for (const char* file : {"log", "acknowledged", "pid"})
        fs::remove(work(file));
    return left;
}

// Reads of a journal fail where the offset has one of these bits.
constexpr auto unreadable = std::to_array<std::uint32_t>({~0x3FFU, ~0x7FFU, ~0xFFFU, ~0x1FFFU, 0x400, 0x800, 0x1000});

void fail_reads(std::uint32_t offsets) { test::refuse_system_call(SYS_pread64, EIO, 3, offsets); }

void with_eio_at_each_record(const End& end) {
    int left = 0;
    for (const std::uint32_t offsets : unreadable) {
        CAPTURE(offsets);
        auto process = run_with_large_records().before_exec([&] { fail_reads(offsets); }).start();
        process.wait_for_line("READY");
        left += end_and_recover(process, end, "Input/output error") ? 1 : 0;
    }
    CHECK(left > 0);
}

TEST_CASE("with EIO at any record a stopped run loses nothing" * doctest::skip(sanitized)) {
    with_eio_at_each_record(stop);
}

TEST_CASE("with EIO at any record the guardian loses nothing" * doctest::skip(sanitized)) {
    with_eio_at_each_record(kill_supervisor);
}

TEST_CASE("with EIO at any record a new guardian loses nothing" * doctest::skip(sanitized)) {
    with_eio_at_each_record(kill_guardian_and_supervisor);
}

TEST_CASE("with both killed and EIO at any record recovery executes nothing until it can read all" *
          doctest::skip(sanitized)) {
    for (const std::uint32_t offsets : unreadable) {
        CAPTURE(offsets);
        auto process = run_with_large_records().start();
        process.wait_for_line("READY");
        kill_both(process);
        const auto recovery = Run({"--recover"}).before_exec([&] { fail_reads(offsets); }).run();
        if (recovery.status != 0) {
            CHECK(recovery.status == 125);
            CHECK(log_text().empty());
            CHECK(Run({"--recover"}).run().status == 0);
        }
        check_all_done();
        fs::remove(work("log"));
        fs::remove(work("acknowledged"));
        fs::remove(work("pid"));
    }
}

// From here on the process has no more memory than it has, and this.
void limit_memory(pid_t process, rlim_t more) {
    const auto has =
        static_cast<rlim_t>(number_after(read_file("/proc/" + std::to_string(process) + "/status"), "VmSize:")) * 1024;
    const rlimit limit{has + more, has + more};
    CHECK(::prlimit(process, RLIMIT_AS, &limit, nullptr) == 0);
}

void without_memory_at_each_record(const End& end) {
    for (const rlim_t more : std::to_array<rlim_t>({0, 16, 64, 256})) {
        CAPTURE(more);
        auto process = run_with_large_records().start();
        process.wait_for_line("READY");
        limit_memory(guardian_of(process.pid()), more * 1024);
        limit_memory(process.pid(), more * 1024);
        end_and_recover(process, end, "");
    }
}

TEST_CASE("without memory at any record a stopped run loses nothing" * doctest::skip(sanitized)) {
    without_memory_at_each_record(stop);
}

TEST_CASE("without memory at any record the guardian loses nothing" * doctest::skip(sanitized)) {
    without_memory_at_each_record(kill_supervisor);
}

TEST_CASE("without memory at any record a new guardian loses nothing" * doctest::skip(sanitized)) {
    without_memory_at_each_record(kill_guardian_and_supervisor);
}

TEST_CASE("the status of a journal that is larger than memory says what is missing" * doctest::skip(sanitized)) {
    write_file(work("large"), std::string(100'000, 'x'));
    const auto outcome = Run({"--", "sh", "-c",
                              "for i in $(seq 60); do finally-run --defer \": $(cat large)\"; done; (ulimit -v 6000; "
                              "finally-run --status)"})
                             .run();
    CHECK(outcome.status == 0);
    CHECK(outcome.out.find("error    Cannot allocate memory\n") != std::string::npos);
    CHECK(outcome.out.find(" running ") != std::string::npos);
    CHECK(outcome.out.find("--forget") == std::string::npos); // nothing is wrong with it
}

TEST_CASE("with a large environment and little memory only a run begins that its guardian can finish" *
          doctest::skip(sanitized)) {
    const std::string large(100'000, 'x');
    int finished = 0;
    int refused = 0;
    for (rlim_t limit = 3 << 20; limit < 6 << 20; limit += 50 << 10) {
        CAPTURE(limit);
        auto process = Run({"-c", "echo cleaned >>log", "--", "sh", "-c", "echo begun >>log; kill -9 $PPID"})
                           .env("X", large)
                           .env("Y", large)
                           .before_exec([limit] {
                               const rlimit memory{limit, limit};
                               ::setrlimit(RLIMIT_AS, &memory);
                           })
                           .start();
        const auto outcome = finish_with_guardian(process);
        const bool begins = outcome.signal == SIGKILL;
        CHECK(log_text() == (begins ? "begun\ncleaned\n" : ""));
        CHECK(run_files().empty());
        finished += begins ? 1 : 0;
        refused += outcome.err == "finally-run: cannot start the guardian: Cannot allocate memory\n" ? 1 : 0;
        fs::remove(work("log"));
    }
    CHECK(finished > 0);
    CHECK(refused > 0);
}

} // namespace
} // namespace finally_run::e2e
