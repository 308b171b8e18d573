// What the harness and the helper of the crash tests agree upon.
#pragma once

namespace finally_run::crash {

// Told to the harness by the helper, as the value of a queued SIGRTMIN.
enum class Moment { start, setup, command, first_cleanup, last_cleanup };

// Long enough that whoever has to stop the command finds it alive, and short enough to wait for it.
inline constexpr long command_ms = 30;

} // namespace finally_run::crash
