// Whether somebody accepts connections: connect(2).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace finally_run::os {

// Both: 0 if a connection was accepted, and closed again; else why not (errno), ETIMEDOUT if nobody has answered by
// then. Nobody on this machine keeps us waiting.
[[nodiscard]] int try_tcp(const std::string& address, std::uint16_t port, std::chrono::milliseconds patience);
[[nodiscard]] int try_unix(const std::string& path, std::chrono::milliseconds patience);

} // namespace finally_run::os
