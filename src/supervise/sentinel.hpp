// The sentinel: a process beside us that only tells whether what we were sent was sent to others as well.
#pragma once

#include "os/fd.hpp"
#include "os/title.hpp"
#include "supervise/deliveries.hpp"

#include <string>
#include <sys/types.h>

namespace finally_run::supervise {

class Sentinel {
public:
    // Without a terminal the command is in a group of its own and not reached by what is sent to ours. So the sentinel
    // is not in ours either: it is told by those alone who tell each process of the tree.
    enum class Place { our_group, own_group };

    // A copy of us in which every signal is blocked, a child of the quiet kind, which dies with us. Where none can be
    // had, each signal counts as sent to us alone.
    Sentinel(Place place, std::string run_id, const os::MainArgs& main_args);
    Sentinel(const Sentinel&) = delete;
    Sentinel& operator=(const Sentinel&) = delete;
    ~Sentinel();

    // Whether the signal, which we have just been sent, was sent to the sentinel too. Waits for it as patience() says.
    [[nodiscard]] bool was_told_too(const os::Signal& signal);

    // Readable when it has something to say, its end included: then call listen().
    [[nodiscard]] int fd() const { return m_line.get(); }
    void listen();

private:
    void start();
    void end();
    [[noreturn]] static void live(int line, Place place, pid_t parent);
    // All that has reached it by now is in m_deliveries afterwards.
    void ask();
    // Takes one message, or waits for it until the deadline. False: none came, or the sentinel has ended: then there is
    // a new one.
    [[nodiscard]] bool hear(const os::Deadline& deadline, bool& answered);

    Place m_place;
    std::string m_run_id;
    os::MainArgs m_main_args;
    pid_t m_pid = 0;
    os::Fd m_line; // a socket
    Deliveries m_deliveries;
    unsigned m_replaced = 0;
};

} // namespace finally_run::supervise
