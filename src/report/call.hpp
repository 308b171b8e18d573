// How a person calls finally-run again.
#pragma once

#include <string>
#include <string_view>

namespace finally_run::report {

// "finally-run", with the --state-dir that leads to the same place if one was given (`state_dir`, as it was given): fit
// to be pasted into a shell, in whatever directory.
[[nodiscard]] std::string call_for(std::string_view state_dir);

} // namespace finally_run::report
