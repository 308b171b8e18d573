// Which signals reached the sentinel, and whether one of ours is among them: decisions without a process.
#pragma once

#include "os/clock.hpp"
#include "os/signals.hpp"

#include <chrono>
#include <vector>

namespace finally_run::supervise {

// Who was told of a signal that we got.
enum class Told {
    us,        // us alone, as far as we can see: it is to be sent on
    everybody, // the group, or each process of the tree in turn: it has reached the command
    sender,    // it came from the command's own group: sudo(8) sends nothing back there, and we only what means stop
};

enum class SenderState { gone, idle, busy };

// How long the others may still be told, from the moment in which we were: who signals one process after the other and
// is gone has told all; who is at work needs more than who does nothing. What it waits for its turn on a full machine
// does not count.
[[nodiscard]] std::chrono::milliseconds patience(SenderState sender);

struct Delivery {
    os::Signal signal;
    os::Clock::time_point when;
};

class Deliveries {
public:
    void add(const Delivery& delivery);

    // Whether the sentinel got what we got now. One delivery answers for one signal of ours, and for the same ones of
    // the same sender right behind it: timeout(1) tells its child first and the group next.
    [[nodiscard]] bool claim(const os::Signal& signal, os::Clock::time_point now);

private:
    struct Known {
        Delivery delivery;
        os::Deadline claimed = {}; // nullopt: not yet
    };
    void forget_old(os::Clock::time_point now);

    std::vector<Known> m_deliveries;
};

} // namespace finally_run::supervise
