// What is in an environment that is about to be handed to a program.
#pragma once

#include "os/environment.hpp"

#include <string_view>
#include <vector>

namespace finally_run::test {

inline std::vector<std::string_view> entries(const os::Environment& environment) {
    std::vector<std::string_view> found;
    for (const char* const* entry = environment.block(); *entry != nullptr; ++entry) {
        found.emplace_back(*entry);
    }
    return found;
}

} // namespace finally_run::test
