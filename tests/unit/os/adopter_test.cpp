#include "os/adopter.hpp"

#include <doctest/doctest.h>
#include <string_view>

using namespace finally_run;
using namespace std::string_view_literals;

TEST_CASE("a process 1 that reaps is known by the program that it runs, wherever that lies") {
    for (const auto cmdline :
         {"/sbin/init\0splash\0"sv, "init [2]\0"sv, "/usr/lib/systemd/systemd\0--system\0"sv, "/tini\0--\0sleep\0"sv,
          "/sbin/docker-init\0--\0sh\0"sv, "dumb-init\0sh\0"sv, "finally-run\0--\0make\0"sv}) {
        CAPTURE(cmdline.data());
        CHECK(os::is_init(cmdline));
    }
}

TEST_CASE("a process 1 that may not reap is none, nor is a script with the name of one that does") {
    for (const auto cmdline : {""sv, "sh\0-c\0init\0"sv, "/bin/sh\0/sbin/init\0"sv, "node\0server.js\0"sv,
                               "/usr/bin/my-init\0"sv, "sleep\0infinity\0"sv, "/init.d/sshd\0"sv}) {
        CAPTURE(cmdline.size());
        CHECK_FALSE(os::is_init(cmdline));
    }
}
