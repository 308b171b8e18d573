// Signal names as kill(1) and timeout(1) take them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace finally_run::text {

// `TERM`, `SIGTERM`, `term`, `15`, `RTMIN+3`, `RTMAX-1`. nullopt for all that signal(7) does not have, 0 included.
[[nodiscard]] std::optional<int> parse_signal(std::string_view text);

// Without the SIG: "TERM"; a real-time signal is "RTMIN+3"; what has no name is its number.
[[nodiscard]] std::string signal_name(int signal);

} // namespace finally_run::text
