// Points, or calls and how they may fail.
#include "shots.hpp"

#include "calls.hpp"

#include <sys/syscall.h>

#include <algorithm>

namespace finally_run::crash {

namespace {

// The one excuse: what the C library does before main, nobody can survive. main's first call blocks the signals. Who
// begins as a copy has no such start.
unsigned first_own_point(const Row& row, const std::vector<Call>& points) {
    const auto found =
        std::find_if(points.begin(), points.end(), [](const Call& call) { return call.number == SYS_rt_sigprocmask; });
    return !is_started(row.actor) || found == points.end() ? 0 : found->point;
}

} // namespace

std::vector<Shot> shots_of(const Row& row, const Outcome& explored) {
    const unsigned begin = row.blow.fails_call ? first_own_point(row, explored.points) : 0;
    std::vector<Shot> shots;
    for (const Call& call : explored.points) {
        const Shot shot{call.point, call.number, call.ordinal, call.entry};
        if (row.blow.fails_call) {
            for (const int error : failures_of(call.number)) {
                if (call.entry && call.point >= begin && !call.polls) {
                    shots.push_back(shot);
                    shots.back().error = error;
                }
            }
        } else if (!row.hold_child || (call.entry && call.in_child)) {
            shots.push_back(shot);
        }
    }
    return shots;
}

} // namespace finally_run::crash
