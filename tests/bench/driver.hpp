// The other end of the driver: starts, and what each has cost.
#pragma once

#include "child.hpp"
#include "small/data.hpp"

#include <vector>

namespace finally_run::bench {

// What the same thing has cost again and again.
struct Series {
    std::vector<double> milliseconds;
    std::vector<double> cpu;  // milliseconds
    std::vector<double> peak; // KiB
    std::vector<double> faults;

    void add(const Sample& sample);
};

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
