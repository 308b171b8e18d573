// The loss of a lock that machines share, while a run needs it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace finally_run::plan {

struct LockLoss {
    std::vector<std::string> names; // ENGINE:NAME; all of the run, if their keeper is gone
    std::string reason;
};

// Looks whether one has been lost by now.
using LookForLoss = std::function<std::optional<LockLoss>()>;

} // namespace finally_run::plan
