// Another machine, or this one after a reboot, for a case that has only one: namespaces stand in for it.
#pragma once

#include "harness.hpp"

namespace finally_run::e2e {

inline constexpr const char* this_machine = "11111111111111111111111111111111";
inline constexpr const char* other_machine = "22222222222222222222222222222222";
inline constexpr const char* this_boot = "11111111-1111-4111-8111-111111111111";
inline constexpr const char* other_boot = "22222222-2222-4222-8222-222222222222";

struct Machine {
    std::string id = this_machine; // empty: it has none
    std::string boot = this_boot;  // empty: not known
    std::string name = "here";
};

// finally-run with these arguments, there.
[[nodiscard]] Run run_on(const Machine& machine, const std::vector<std::string>& args);

} // namespace finally_run::e2e
