// Waiting until the keeper has all the locks.
#pragma once

#include "engine/keeper.hpp"
#include "os/clock.hpp"
#include "os/events.hpp"

#include <functional>
#include <string>
#include <variant>

namespace finally_run::engine {

struct Had {};
struct NotHad {
    bool busy; // somebody holds it; else something is wrong
    std::string name;
    std::string reason; // as far as the helper has said; may be empty
};

// Called after one second of waiting, and again after what it returns; nullopt: no more. `holder`: as the helper says.
using WhileWaiting =
    std::function<text::Limit(const std::string& name, const std::string& holder, text::Duration waited)>;

// How long one that may not wait has for its answer.
inline constexpr text::Duration answer_patience = std::chrono::seconds(10);

[[nodiscard]] std::variant<Had, NotHad, os::Interrupted> await(Keeper& keeper, const os::BootDeadline& deadline,
                                                               os::Events& events, const WhileWaiting& while_waiting);

} // namespace finally_run::engine
