#include "cli/ready_check.hpp"

#include <doctest/doctest.h>

#include <string>
#include <variant>

using namespace finally_run;

namespace {

using CheckKind = plan::ReadyCheck::Kind;

plan::ReadyCheck checked(std::string_view given) {
    const auto check = cli::ready_check(given);
    REQUIRE(std::holds_alternative<plan::ReadyCheck>(check));
    return std::get<plan::ReadyCheck>(check);
}

bool is_refused(std::string_view given) { return std::holds_alternative<std::string>(cli::ready_check(given)); }

} // namespace

TEST_SUITE("cli/ready_check") {
    TEST_CASE("a port is one of localhost or of an address in numbers") {
        for (const char* const given : {"tcp:7777", "tcp:localhost:7777"}) {
            const auto check = checked(given);
            CHECK(check.kind == CheckKind::tcp);
            CHECK(check.address.empty());
            CHECK(check.port == 7777);
        }
        CHECK(checked("tcp:127.0.0.2:65535") ==
              plan::ReadyCheck{
                  .kind = CheckKind::tcp, .given = "tcp:127.0.0.2:65535", .address = "127.0.0.2", .port = 65535});
        CHECK(checked("tcp:[::1]:80").address == "::1");
        CHECK(checked("tcp:::1:80").address == "::1");
    }

    TEST_CASE("what is no port and no address in numbers is refused") {
        for (const char* const given : {"tcp:", "tcp:0", "tcp:65536", "tcp:-1", "tcp: 1", "tcp:1 ", "tcp:x", "tcp::80",
                                        "tcp:example.org:80", "tcp:1.2.3:80", "tcp:[]:80"}) {
            CAPTURE(given);
            CHECK(is_refused(given));
        }
    }

    TEST_CASE("a socket and a file are paths that are there and fit") {
        CHECK(checked("unix:./a b") ==
              plan::ReadyCheck{.kind = CheckKind::unix_socket, .given = "unix:./a b", .path = "./a b"});
        CHECK(checked("file:/x") == plan::ReadyCheck{.kind = CheckKind::file, .given = "file:/x", .path = "/x"});
        CHECK_FALSE(is_refused("unix:" + std::string(107, 'x')));
        CHECK(is_refused("unix:" + std::string(108, 'x')));
        CHECK(is_refused("unix:"));
        CHECK(is_refused("file:"));
    }

    TEST_CASE("everything else is a command") {
        for (const char* const given : {"pg_isready", "tcp", "TCP:1", "http:x", "test -e file:x"}) {
            CHECK(checked(given) == plan::ReadyCheck{.kind = CheckKind::command, .given = given});
        }
    }
}
