#include "os/connect.hpp"

#include "os/fd.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <chrono>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>

using namespace finally_run;

namespace {

constexpr auto patience = std::chrono::milliseconds(200);

} // namespace

TEST_CASE("a port accepts connections while somebody listens there and not before or after") {
    os::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof place;
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&place), size) == 0);
    REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&place), &size) == 0);
    const std::uint16_t port = ntohs(place.sin_port);
    CHECK(os::try_tcp("127.0.0.1", port, patience) == ECONNREFUSED);
    REQUIRE(::listen(socket.get(), 8) == 0);
    CHECK(os::try_tcp("127.0.0.1", port, patience) == 0);
    socket.reset();
    CHECK(os::try_tcp("127.0.0.1", port, patience) == ECONNREFUSED);
    CHECK(os::try_tcp("localhost", port, patience) == EINVAL);
}

TEST_CASE("the socket that a killed server has left accepts nothing") {
    const test::TempDir dir;
    const std::string path = dir / "socket";
    CHECK(os::try_unix(path, patience) == ENOENT);
    os::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un place{};
    place.sun_family = AF_UNIX;
    std::ranges::copy(path, place.sun_path);
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0);
    REQUIRE(::listen(socket.get(), 8) == 0);
    CHECK(os::try_unix(path, patience) == 0);
    socket.reset();
    CHECK(os::try_unix(path, patience) == ECONNREFUSED);
    CHECK(os::try_unix(std::string(200, 'x'), patience) == ENAMETOOLONG);
}
