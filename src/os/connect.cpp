#include "os/connect.hpp"

#include "os/fd.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace finally_run::os {

namespace {

int try_address(const sockaddr* address, socklen_t size, std::chrono::milliseconds patience) {
    const Fd socket(::socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) {
        return errno;
    }
    if (::connect(socket.get(), address, size) == 0) {
        return 0;
    }
    if (errno != EINPROGRESS) {
        return errno; // EAGAIN: a unix socket whose queue is full just now
    }
    pollfd done{socket.get(), POLLOUT, 0};
    if (::poll(&done, 1, static_cast<int>(patience.count())) <= 0) {
        return ETIMEDOUT;
    }
    int error = 0;
    socklen_t error_size = sizeof error;
    return ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &error_size) < 0 ? errno : error;
}

} // namespace

int try_tcp(const std::string& address, std::uint16_t port, std::chrono::milliseconds patience) {
    sockaddr_in four{};
    if (::inet_pton(AF_INET, address.c_str(), &four.sin_addr) == 1) {
        four.sin_family = AF_INET;
        four.sin_port = htons(port);
        return try_address(reinterpret_cast<const sockaddr*>(&four), sizeof four, patience);
    }
    sockaddr_in6 six{};
    if (::inet_pton(AF_INET6, address.c_str(), &six.sin6_addr) != 1) {
        return EINVAL;
    }
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    return try_address(reinterpret_cast<const sockaddr*>(&six), sizeof six, patience);
}

int try_unix(const std::string& path, std::chrono::milliseconds patience) {
    sockaddr_un place{};
    if (path.size() >= sizeof place.sun_path) {
        return ENAMETOOLONG;
    }
    place.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), place.sun_path);
    return try_address(reinterpret_cast<const sockaddr*>(&place), sizeof place, patience);
}

} // namespace finally_run::os
