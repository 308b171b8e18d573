// System calls by name, and how each may fail.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace finally_run::crash {

[[nodiscard]] std::string name_of_call(long number);

// The errnos that the kernel could give here without a mistake of the caller. Empty: it cannot fail, or its failure
// would be no other than one that happens in every run.
[[nodiscard]] std::span<const int> failures_of(long number);
[[nodiscard]] bool may_fail_with(long number, int error);

// What the kernel answers then: -errno, but of brk(2) an end of the heap below the one that was asked for.
[[nodiscard]] long result_of_failure(long number, int error);

[[nodiscard]] bool makes_process(long number);

// How far a call reaches beyond the memory and the descriptors of its caller, which end with that.
enum class Reach {
    nothing,
    names,  // it looks which files there are
    state,  // it looks at processes and what is to be read, or changes which signals its caller gets
    others, // it may change what others see
};
[[nodiscard]] Reach reach_of(long number, std::span<const std::uint64_t> arguments);

// close(2) frees the descriptor even if it fails.
[[nodiscard]] bool has_effect_when_failing(long number);

} // namespace finally_run::crash
