// Whether the finally-run of this build has AddressSanitizer. The run time of the sanitizers needs descriptors,
// processes and /proc itself: a case that takes these away says nothing there.
#pragma once

namespace finally_run::test {

#if defined(__SANITIZE_ADDRESS__) || defined(FINALLY_RUN_SANITIZED)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

} // namespace finally_run::test
