#include "cli/ready_check.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <netinet/in.h>
#include <optional>
#include <sys/un.h>

namespace finally_run::cli {

namespace {

using plan::ReadyCheck;

std::optional<std::string_view> after(std::string_view text, std::string_view scheme) {
    return text.starts_with(scheme) ? std::optional(text.substr(scheme.size())) : std::nullopt;
}

bool is_address(const std::string& text) {
    std::array<unsigned char, sizeof(in6_addr)> bytes{};
    return ::inet_pton(AF_INET, text.c_str(), bytes.data()) == 1 ||
           ::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1;
}

// PORT or ADDRESS:PORT. A name would need a resolver, which a static program does not have.
std::variant<ReadyCheck, std::string> parse_tcp(std::string_view given, std::string_view place) {
    ReadyCheck check{.kind = ReadyCheck::Kind::tcp, .given = std::string(given)};
    const auto colon = place.rfind(':');
    const auto port = place.substr(colon == place.npos ? 0 : colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), check.port);
    if (error != std::errc() || end != port.data() + port.size() || check.port == 0) {
        return "a PORT is a number from 1 to 65535, as in tcp:7777 or tcp:127.0.0.1:7777";
    }
    if (colon == place.npos) {
        return check;
    }
    std::string_view address = place.substr(0, colon);
    if (address.starts_with('[') && address.ends_with(']')) {
        address = address.substr(1, address.size() - 2);
    }
    if (address == "localhost") {
        return check;
    }
    check.address = address;
    if (!is_address(check.address)) {
        return "an ADDRESS is one in numbers, or localhost; a command can check a name";
    }
    return check;
}

} // namespace

std::variant<plan::ReadyCheck, std::string> ready_check(std::string_view given) {
    if (const auto place = after(given, "tcp:")) {
        return parse_tcp(given, *place);
    }
    ReadyCheck check{.given = std::string(given)};
    if (const auto path = after(given, "unix:")) {
        if (path->empty() || path->size() >= sizeof(sockaddr_un::sun_path)) {
            return "the path of a socket has 1 to 107 bytes";
        }
        check.kind = ReadyCheck::Kind::unix_socket;
        check.path = *path;
    } else if (const auto file = after(given, "file:")) {
        if (file->empty()) {
            return "it takes file:PATH";
        }
        check.kind = ReadyCheck::Kind::file;
        check.path = *file;
    } else if (given.starts_with("http://") || given.starts_with("https://")) {
        return "a URL is for a command to check, as in 'curl -fs URL'";
    }
    return check;
}

} // namespace finally_run::cli
