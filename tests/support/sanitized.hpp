// Whether the finally-run that is tested has AddressSanitizer. The run time of the sanitizers needs descriptors,
// processes and /proc itself: a case that takes these away says nothing there.
#pragma once

#include <cstdlib>

namespace finally_run::test {

// The end-to-end tests of one build serve another one's program too: this variable tells it.
constexpr const char* sanitized_binary = "SANITIZED_BINARY";

#ifdef FINALLY_RUN_SANITIZED
constexpr bool sanitized = true;
#else
inline const bool sanitized = std::getenv(sanitized_binary) != nullptr;
#endif

// How often a case tries what goes wrong by chance alone. With sanitizers a fifth of it: what they find is there each
// time, and a start takes eight times as long.
inline int tries(int number) { return sanitized ? (number + 4) / 5 : number; }

} // namespace finally_run::test
