// A command that has begun, and goes on until it is let go.
#pragma once

#include "child.hpp"

namespace finally_run::bench {

class Held {
public:
    // `wrapper` and its options are put before the command. Returns when the command runs.
    Held(const Words& wrapper, const Words& environment, int error, const Words& arguments = {});

    [[nodiscard]] pid_t wrapper() const { return m_child.pid(); }
    // Of the command: FINALLY_RUN_ID and FINALLY_RUN_JOURNAL, if it has them.
    [[nodiscard]] const Words& run_variables() const { return m_variables; }

    void let_go() { m_hold.write.reset(); }
    void wait();

private:
    Pipe m_hold;
    Pipe m_begun;
    Child m_child;
    Words m_variables;
};

} // namespace finally_run::bench
