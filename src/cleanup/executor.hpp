// Runs a stack of cleanups to its end.
#pragma once

#include "cleanup/command.hpp"
#include "cleanup/output.hpp"
#include "cleanup/stack.hpp"
#include "os/events.hpp"
#include "plan/result.hpp"

#include <cstddef>

namespace finally_run::cleanup {

struct Settings {
    TimeLimits limits;      // of each single attempt
    unsigned retries = 0;   // after a failure, with a growing pause
    const char* const* env; // ends with a null; borrowed
};

// Hears of every cleanup; neither call can stop one.
class Observer {
public:
    virtual ~Observer() = default;
    virtual void begin(const Cleanup& cleanup) = 0;
    virtual void end(const Cleanup& cleanup, const Outcome& outcome, plan::Duration took) = 0;
    // A signal came while it ran.
    virtual void on_signal(const Cleanup& cleanup, int signal) = 0;
};

// Last in, first out, each whatever became of the one before; on-success and on-failure only for their outcome. Returns
// how many failed.
[[nodiscard]] std::size_t run_all(Stack& stack, plan::Result result, const Settings& settings, Output& output,
                                  os::Events& events, Observer& observer);

} // namespace finally_run::cleanup
