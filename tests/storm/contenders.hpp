// The processes that the harness starts itself: starts them, keeps their number up, and judges how they end.
#pragma once

#include "place.hpp"

#include <map>
#include <string>
#include <vector>

namespace finally_run::storm {

struct Contender {
    std::vector<std::string> words;
    bool run = true;          // else a --recover, a --status or a run without a lock
    bool killed = false;      // by us, or told to end
    bool step_killed = false; // its command or setup
};

class Contenders {
public:
    explicit Contenders(Place place) : m_place(std::move(place)) {}

    // A run that contends for the lock, with so many deferrals in all. A straggler goes on when the command has ended.
    void start_run(unsigned deferrals, bool straggler);
    // Somebody who looks at the runs of the others or finishes them, or a run without a lock, whose cleanups are
    // registered while it is about to end.
    void start_other();
    void start(std::vector<std::string> words, bool run);

    // Takes leave of those that have ended, without waiting. False: there is no child left at all.
    bool reap();
    // ... waiting, until none is left. False: there are still some after so many seconds.
    [[nodiscard]] bool reap_all(unsigned seconds);
    void tell_to_end();

    [[nodiscard]] std::map<pid_t, Contender>& living() { return m_living; }
    [[nodiscard]] std::size_t contending() const;
    [[nodiscard]] unsigned started() const { return m_number; }
    [[nodiscard]] unsigned whole() const { return m_whole; }     // ended with status 0
    [[nodiscard]] unsigned orphans() const { return m_orphans; } // that nobody but us has reaped

private:
    void ended(const Contender& contender, int status);

    Place m_place;
    std::map<pid_t, Contender> m_living;
    unsigned m_number = 0;
    unsigned m_rushes = 0;
    unsigned m_whole = 0;
    unsigned m_orphans = 0;
};

} // namespace finally_run::storm
