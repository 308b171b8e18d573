#include "os/boot.hpp"

#include "support/forked.hpp"
#include "support/hardship.hpp"
#include "support/needs.hpp"
#include "support/temp_dir.hpp"

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <sched.h>
#include <string>
#include <sys/syscall.h>
#include <system_error>

using namespace finally_run;

TEST_CASE("the boot has the id that the kernel gives it, on one line") {
    const std::string id = os::boot_id();
    CHECK(id + "\n" == test::read_file("/proc/sys/kernel/random/boot_id"));
    CHECK(id.size() == 36);
    CHECK(os::boot_id() == id);
}

TEST_CASE("an id that cannot be read just now is not taken for that of another boot") {
    test::Forked child([] {
        test::refuse_system_call(SYS_openat, EMFILE);
        bool thrown = false;
        try {
            static_cast<void>(os::boot_id());
        } catch (const std::system_error&) {
            thrown = true;
        }
        test::expect(thrown, "an exception");
    });
    CHECK(child.succeeded());
}

TEST_CASE("the pid namespace has the number that the kernel shows, and another one another") {
    const std::uint64_t ours = os::pid_namespace();
    CHECK("pid:[" + std::to_string(ours) + "]" == std::filesystem::read_symlink("/proc/self/ns/pid").native());
    test::Gate gate;
    test::Forked child([&] {
        if (::unshare(::geteuid() == 0 ? CLONE_NEWPID : CLONE_NEWUSER | CLONE_NEWPID) < 0) {
            gate.open("none");
            return;
        }
        test::Forked inside([&] { gate.open(std::to_string(os::pid_namespace())); });
        test::expect(inside.succeeded(), "inside");
    });
    const std::string theirs = gate.rest();
    CHECK(child.succeeded());
    if (!test::needs(theirs != "none", "the right to make a pid namespace")) {
        return;
    }
    CHECK(std::strtoull(theirs.c_str(), nullptr, 10) != 0);
    CHECK(theirs != std::to_string(ours));
}

TEST_CASE("the time since the boot grows, and is that of the start times in /proc") {
    // In hundredths of a second: proc(5), uptime.
    const auto uptime = [] {
        constexpr std::uint64_t hundredth = 10'000'000;
        return static_cast<std::uint64_t>(
                   std::llround(std::strtod(test::read_file("/proc/uptime").c_str(), nullptr) * 100)) *
               hundredth;
    };
    const std::uint64_t before = uptime();
    const std::uint64_t now = os::boot_nanoseconds();
    CHECK(now >= before);
    CHECK(now / 10'000'000 <= uptime() / 10'000'000);
    CHECK(os::boot_nanoseconds() >= now);
}
