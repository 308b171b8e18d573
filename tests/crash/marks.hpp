// What the harness and the helper of the crash tests agree upon.
#pragma once

#include <cstdint>

namespace finally_run::crash {

// Queued for the harness by a step that has begun; its value is the step's mark.
inline constexpr int told_signal = 40; // one of those that queue

// The first eight letters of its name.
inline std::uintptr_t mark_of(const char* name) {
    std::uintptr_t mark = 0;
    for (unsigned place = 0; place < sizeof mark && name[place] != '\0'; ++place) {
        mark |= std::uintptr_t{static_cast<unsigned char>(name[place])} << (8 * place);
    }
    return mark;
}

// Long enough that whoever has to stop the command finds it alive, and short enough to wait for it.
inline constexpr long command_ms = 30;

} // namespace finally_run::crash
