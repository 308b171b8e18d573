// How a person calls finally-run again.
#include "report/call.hpp"

#include "os/state_dir.hpp"
#include "text/quoted_path.hpp"

namespace finally_run::report {

std::string call_for(std::string_view state_dir) {
    if (state_dir.empty()) {
        return "finally-run";
    }
    return "finally-run --state-dir " + text::quoted_path(os::state_dir_path(state_dir).native());
}

} // namespace finally_run::report
