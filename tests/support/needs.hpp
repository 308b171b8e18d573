// A case that needs of the machine what not every machine has.
#pragma once

#include <cstdlib>
#include <doctest/doctest.h>
#include <string>
#include <string_view>

namespace finally_run::test {

// Whether it is there. If it is not, the case ends with a message, and fails in CI, where all is to be had.
[[nodiscard]] inline bool needs(bool is_there, const std::string& what) {
    if (!is_there) {
        const char* const ci = std::getenv("CI");
        if (ci != nullptr && std::string_view(ci) == "true") {
            FAIL_CHECK("not tested: this machine lacks " << what);
        } else {
            MESSAGE("not tested: this machine lacks " << what);
        }
    }
    return is_there;
}

} // namespace finally_run::test
