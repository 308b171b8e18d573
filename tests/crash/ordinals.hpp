// Numbers the system calls of an actor, each name for itself, so that one is found again in the next run.
#pragma once

#include "tracer.hpp"

#include <map>

namespace finally_run::crash {

class Ordinals {
public:
    // To be asked once for each point of the calls that matter, in order. Both points of a call have its number.
    [[nodiscard]] unsigned of(const Point& point);

private:
    std::map<long, unsigned> m_next;
    std::map<pid_t, unsigned> m_entered; // what each process is in
};

} // namespace finally_run::crash
