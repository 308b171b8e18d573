// The other end of the driver: one start, and what it has cost.
#pragma once

#include "child.hpp"
#include "driver/sample.hpp"

namespace finally_run::bench {

class Driver {
public:
    // `error` becomes the stderr of what is started.
    explicit Driver(int error);

    // Throws std::runtime_error if the program does not succeed.
    [[nodiscard]] Sample start(const Words& words, const Words& environment) const;

private:
    Pipe m_requests;
    Pipe m_answers;
    Child m_child;
};

} // namespace finally_run::bench
