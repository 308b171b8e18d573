#include "run/ready.hpp"

#include "os/connect.hpp"
#include "os/error.hpp"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <unistd.h>

namespace finally_run::run {

namespace {

// Servers listen on one of the two, or on both.
int try_localhost(std::uint16_t port, std::chrono::milliseconds patience) {
    const int error = os::try_tcp("127.0.0.1", port, patience);
    return error == 0 || os::try_tcp("::1", port, patience) == 0 ? 0 : error;
}

} // namespace

std::string why_not_ready(const plan::ReadyCheck& check, text::Duration patience) {
    using Kind = plan::ReadyCheck::Kind;
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(patience);
    int error = 0;
    switch (check.kind) {
    case Kind::tcp:
        error = check.address.empty() ? try_localhost(check.port, wait) : os::try_tcp(check.address, check.port, wait);
        break;
    case Kind::unix_socket:
        error = os::try_unix(check.path, wait);
        break;
    case Kind::file:
        error = ::faccessat(AT_FDCWD, check.path.c_str(), F_OK, 0) < 0 ? errno : 0;
        break;
    case Kind::command:
        error = EINVAL;
        break;
    }
    return error == 0 ? std::string() : std::string(os::error_text(error));
}

} // namespace finally_run::run
