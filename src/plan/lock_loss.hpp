// The loss of a lock that machines share, while a run needs it.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace finally_run::plan {

struct LockLoss {
    std::string name; // ENGINE:NAME
    std::string reason;
};

// Looks whether one has been lost by now.
using LookForLoss = std::function<std::optional<LockLoss>()>;

} // namespace finally_run::plan
