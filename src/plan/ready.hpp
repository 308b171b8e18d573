// What --ready waits for.
#pragma once

#include <cstdint>
#include <string>

namespace finally_run::plan {

struct ReadyCheck {
    enum class Kind { command, tcp, unix_socket, file };
    Kind kind = Kind::command;
    std::string given;        // as the user wrote it; command: CMD
    std::string path = {};    // unix_socket, file
    std::string address = {}; // tcp: IPv4 or IPv6, in numbers; empty: localhost
    std::uint16_t port = 0;   // tcp

    bool operator==(const ReadyCheck&) const = default;
};

} // namespace finally_run::plan
