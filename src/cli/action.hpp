// What may be asked for in place of a run: --defer, --status, --recover, --stop and --forget.
#pragma once

#include "cli/options.hpp"
#include "cli/scan.hpp"
#include "cli/values.hpp"
#include "plan/request.hpp"

#include <span>
#include <variant>

namespace finally_run::cli {

using Action = std::variant<plan::Defer, plan::Status, plan::Recover, plan::Stop, plan::Forget>;

// The first one on the command line; nullptr if a run is meant.
[[nodiscard]] const Option* action_in(const Scan& scan);

// Does the option mean something to this action?
[[nodiscard]] bool goes_with(const Option& option, const Option& action);

// `scan` is of `words` and contains `action`. Throws UsageError for what the action does not take.
void refuse_what_does_not_go_with(const Option& action, const Scan& scan, std::span<char* const> words);

// `values` are those of the options that go with it. Throws UsageError for what is no RUN.
[[nodiscard]] Action action_of(const Option& action, const Scan& scan, Values values);

} // namespace finally_run::cli
